/** tr46 ships no types; this is the part of it we call. */
declare module 'tr46' {
  interface ToASCIIOptions {
    checkBidi?: boolean;
    checkHyphens?: boolean;
    checkJoiners?: boolean;
    useSTD3ASCIIRules?: boolean;
    verifyDNSLength?: boolean;
    transitionalProcessing?: boolean;
    ignoreInvalidPunycode?: boolean;
  }
  export function toASCII(domain: string, options?: ToASCIIOptions): string | null;
  export function toUnicode(domain: string, options?: ToASCIIOptions): { domain: string; error: boolean };
}
