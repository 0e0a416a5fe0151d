/** What every command is given: the configuration in force, the way to the server, the terminal. */
import { JUDGE_SETTINGS } from '../judge/all-settings.ts';
import type { Admin } from '../ports.ts';
import { ALIAS_SETTINGS } from '../route/aliases/settings.ts';
import { ROUTE_SETTINGS } from '../route/settings.ts';
import { type AllSettings, SETTINGS } from '../settings.ts';
import { devProfile, findConfig } from '../system/config/find.ts';
import { type LoadedConfig, loadConfig } from '../system/config/load.ts';
import { connectControl, controlPath, ServerNotRunning } from '../system/control.ts';
import { loginRules } from '../directory/check.ts';
import { REQUIRED_SETTINGS, systemRules } from '../system/settings.ts';
import type { CliIo } from './io.ts';

export type Config = LoadedConfig<typeof SETTINGS>;

/** What main.ts hands in: the heavy parts, imported only when they are called. */
export interface CliHooks {
  /** Runs the server until it has stopped. `isDev` when there is no configuration file. */
  serve(config: Config, options: { readonly isDev: boolean }): Promise<void>;
  /** The same handlers in this process, on a data folder that no server uses. Rejects when one does. */
  openLocalAdmin(settings: AllSettings): Promise<Admin>;
}

export interface CliContext {
  readonly io: CliIo;
  readonly hooks: CliHooks;
  /** Reads the configuration once. Throws ConfigError, or Error with a sentence. */
  config(): Config;
  /** File that is, or would be, read; null for the development profile. */
  configFile(): string | null;
  /** The running server, or the data folder itself when there is none. */
  open(): Promise<Admin>;
  /** The running server. Rejects with ServerNotRunning. */
  openServer(): Promise<Admin>;
}

/** `named` answers the file given with --config. */
export function cliContext(io: CliIo, hooks: CliHooks, named: () => string | undefined): CliContext {
  let loaded: Config | null = null;
  const configFile = (): string | null => findConfig(named(), process.env, process.cwd());
  const config = (): Config => (loaded ??= readConfig(configFile()));
  const openServer = (): Promise<Admin> => connectControl(controlPath(config().settings.dataDir));
  return {
    io,
    hooks,
    configFile,
    config,
    openServer,
    open: () => openAdmin(config().settings, hooks),
  };
}

/** What can be said without opening anything. */
const plainRules = (settings: AllSettings): { key: string; message: string }[] => [...systemRules(settings), ...loginRules(settings)];

/** The configuration in `file`, or the development profile for null. */
export function readConfig(file: string | null, rules: (settings: AllSettings) => { key: string; message: string }[] = plainRules): Config {
  return file === null ? loadConfig(null, SETTINGS, { overrides: devProfile() }) : loadConfig(file, SETTINGS, { required: REQUIRED_SETTINGS, rules });
}

/** The same with everything made of it once: tables opened, restrictions compiled. Costs more than most commands need. */
export async function readCheckedConfig(file: string | null): Promise<Config> {
  const config = readConfig(file);
  // The defaults are right; what somebody wrote is tried.
  const isGiven = (settings: object): boolean => Object.keys(settings).some((key) => config.given.has(key));
  const isJudgeGiven = isGiven(JUDGE_SETTINGS);
  // Address classes are options of the judge's that routing reads, too.
  const isRouteGiven = isJudgeGiven || isGiven(ROUTE_SETTINGS) || isGiven(ALIAS_SETTINGS) || config.given.has('deliver.transports');
  const isSourceGiven = isRouteGiven || config.given.has('auth.passwordMaps') || config.given.has('auth.quotaMaps');
  if (!isSourceGiven) return config;
  const { judgeRules } = await import('../judge/check.ts');
  const { routeRules } = await import('../route/check.ts');
  const { sourcesRules } = await import('../directory/sources/check.ts');
  return readConfig(file, (settings) => {
    const wrong = plainRules(settings);
    if (wrong.length > 0) return wrong;
    const ofJudge = isJudgeGiven ? judgeRules(settings) : [];
    if (ofJudge.length > 0) return ofJudge;
    const ofRoute = routeRules(settings);
    return ofRoute.length > 0 ? ofRoute : sourcesRules(settings);
  });
}

/** The running server when one answers, else the data folder itself. */
export async function openAdmin(settings: AllSettings, hooks: CliHooks): Promise<Admin> {
  try {
    return await connectControl(controlPath(settings.dataDir));
  } catch (error) {
    if (error instanceof ServerNotRunning) return hooks.openLocalAdmin(settings);
    throw error;
  }
}
