/** A mistake in the options of routing; it stops the start or the reload. */
export class RouteProblem extends Error {
  readonly code = 'routeProblem';
  /** The option that is wrong: "transport.pipe". */
  readonly setting: string;
  /** What is wrong, in a sentence. */
  readonly sentence: string;

  constructor(setting: string, sentence: string) {
    super(`${setting}: ${sentence}`);
    this.name = 'RouteProblem';
    this.setting = setting;
    this.sentence = sentence;
  }
}
