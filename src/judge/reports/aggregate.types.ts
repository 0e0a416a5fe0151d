/** An aggregate report as read (RFC 7489 appendix C), whatever its vendor made of the form. All texts are bounded and in plain characters. */
export interface AggregateReport {
  readonly organization: string;
  readonly email: string;
  readonly reportId: string;
  /** Unix milliseconds. */
  readonly beginAt: number;
  readonly endAt: number;
  readonly policy: {
    /** Lower case A-labels. */
    readonly domain: string;
    readonly adkim: string;
    readonly aspf: string;
    readonly p: string;
    readonly sp: string;
    readonly pct: string;
  };
  readonly records: readonly AggregateRecord[];
}

export interface AggregateRecord {
  /** Canonical text of an address, or '' when it was none. */
  readonly sourceIp: string;
  readonly count: number;
  readonly disposition: 'none' | 'quarantine' | 'reject';
  readonly dkim: 'pass' | 'fail';
  readonly spf: 'pass' | 'fail';
  readonly headerFrom: string;
  readonly envelopeFrom: string;
  readonly envelopeTo: string;
  readonly reasons: readonly { readonly type: string; readonly comment: string }[];
  readonly dkimResults: readonly { readonly domain: string; readonly selector: string; readonly result: string }[];
  readonly spfResults: readonly { readonly domain: string; readonly scope: string; readonly result: string }[];
}
