/** What all conversions take and give. */

export interface Note {
  /** From 1; 0 when the file as a whole is meant. */
  readonly line: number;
  readonly why: string;
}

export interface Converted {
  readonly sieve: string;
  /** What has no counterpart, by line; empty when the script means the same. */
  readonly notes: readonly Note[];
}

export interface ConvertOptions {
  /** Whose file it is: "anna". */
  readonly user: string;
  /** For names without a domain, and, like the host's name, the domain of the user's own address. */
  readonly domain: string;
  readonly hostname: string;
  /** The user's home directory; null when it is not known. */
  readonly home: string | null;
  /** Lines of comment for the top of the script. */
  readonly heading: readonly string[];
  /** More redirects of one message than the server allows get a note. */
  readonly redirectsMax: number;
}
