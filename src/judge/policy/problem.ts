/** What is wrong with a policy as it was written; whoever reads the configuration turns the setting and entry into file and line. */
export class PolicyProblem extends Error {
  readonly code = 'policyProblem';
  /** "policy.clientRestrictions". */
  readonly setting: string;
  /** Index of the list entry, or null when the setting as a whole is meant. */
  readonly entry: number | null;
  readonly sentence: string;
  /** Where a table or file is to blame. */
  readonly file: string | null;
  readonly line: number | null;

  constructor(setting: string, entry: number | null, sentence: string, file: string | null = null, line: number | null = null, options?: ErrorOptions) {
    const where = file === null ? '' : ` (${file}${line === null ? '' : `:${line}`})`;
    super(`${setting}${entry === null ? '' : `[${entry}]`}: ${sentence}${where}`, options);
    this.name = 'PolicyProblem';
    this.setting = setting;
    this.entry = entry;
    this.sentence = sentence;
    this.file = file;
    this.line = line;
  }
}
