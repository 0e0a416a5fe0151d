/** Types of what TypeScript (tests, bench) uses of lib.mjs. */
export declare const ROOT: string;
export declare const RUNTIME_FLAGS: readonly string[];
export declare function runtimeEnvironment(root: string, environment?: NodeJS.ProcessEnv): Record<string, string>;
