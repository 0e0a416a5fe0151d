/** What a server offers, from its reply to EHLO or LHLO (RFC 5321 section 4.1.1.1). */

export interface Capabilities {
  readonly pipelining: boolean;
  readonly chunking: boolean;
  readonly eightBitMime: boolean;
  readonly smtputf8: boolean;
  readonly dsn: boolean;
  readonly startTls: boolean;
  /** null: not offered; 0: offered without a limit (RFC 1870). */
  readonly sizeMax: number | null;
  /** SASL mechanisms in upper case. */
  readonly auth: readonly string[];
  /** RFC 9422 LIMITS, or null. */
  readonly recipientsMax: number | null;
  readonly mailMax: number | null;
}

export const NO_CAPABILITIES: Capabilities = {
  pipelining: false,
  chunking: false,
  eightBitMime: false,
  smtputf8: false,
  dsn: false,
  startTls: false,
  sizeMax: null,
  auth: [],
  recipientsMax: null,
  mailMax: null,
};

const MECHANISMS_MAX = 30;

/** `lines` are the reply's lines; the first is the greeting. */
export function readCapabilities(lines: readonly string[]): Capabilities {
  const found: { -readonly [K in keyof Capabilities]: Capabilities[K] } = { ...NO_CAPABILITIES };
  for (let i = 1; i < lines.length; i++) {
    // Some servers write "AUTH=PLAIN LOGIN".
    const words = lines[i]!.trim().toUpperCase().split(/[ =]+/, MECHANISMS_MAX);
    switch (words[0]) {
      case 'PIPELINING':
        found.pipelining = true;
        break;
      case 'CHUNKING':
        found.chunking = true;
        break;
      case '8BITMIME':
        found.eightBitMime = true;
        break;
      case 'SMTPUTF8':
        found.smtputf8 = true;
        break;
      case 'DSN':
        found.dsn = true;
        break;
      case 'STARTTLS':
        found.startTls = true;
        break;
      case 'SIZE':
        found.sizeMax = numberOf(words[1]) ?? 0;
        break;
      case 'AUTH':
        found.auth = [...new Set([...found.auth, ...words.slice(1)])];
        break;
      case 'LIMITS':
        for (const word of lines[i]!.trim().toUpperCase().split(/ +/, MECHANISMS_MAX).slice(1)) {
          const [name, value] = word.split('=', 2);
          const limit = numberOf(value);
          if (limit === null || limit === 0) continue;
          if (name === 'RCPTMAX') found.recipientsMax = limit;
          if (name === 'MAILMAX') found.mailMax = limit;
        }
        break;
      default:
    }
  }
  return found;
}

function numberOf(word: string | undefined): number | null {
  return word !== undefined && /^\d{1,15}$/.test(word) ? Number(word) : null;
}
