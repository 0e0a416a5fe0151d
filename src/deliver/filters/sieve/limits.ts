/** Every bound of the Sieve engine, with its reason. All but the constants at the end can be set (settings.ts). */
import { KiB, MiB } from '../../../system/declare.ts';

export interface SieveLimits {
  /** Octets of one script. */
  readonly scriptBytes: number;
  /** Actions of one run, keep not counted. */
  readonly actions: number;
  /** Redirects of one run: what one message may become. */
  readonly redirects: number;
  /** Blocks, tests and test lists within each other. */
  readonly nesting: number;
  /** Variables of one script. */
  readonly variables: number;
  /** Characters kept in one variable; the rest is cut off (RFC 5229 section 6). */
  readonly variableChars: number;
  /** Characters of one expanded text. */
  readonly textChars: number;
  /** Elementary steps of one run: characters compared and commands done, about 100 million in a second. */
  readonly steps: number;
  /** Scripts within each other by `include`, and includes of one run. */
  readonly includeDepth: number;
  readonly includes: number;
  /** Octets of a body that `body` and the MIME tests look at. */
  readonly bodyBytes: number;
  /** Octets of a header field that `addheader` may write (Pigeonhole: 2048). */
  readonly headerFieldBytes: number;
  /** Octets of output taken from a program. */
  readonly outputBytes: number;
  /** How long a program may run. */
  readonly programMs: number;
  /** Bounds on the period of vacation, in seconds. */
  readonly vacationSecondsLeast: number;
  readonly vacationSecondsMost: number;
  /** Longest memory of `duplicate`, in seconds. */
  readonly duplicateSecondsMost: number;
}

const DAY_SECONDS = 24 * 60 * 60;

export const SIEVE_LIMITS: SieveLimits = {
  scriptBytes: 256 * KiB,
  actions: 32,
  redirects: 4,
  nesting: 32,
  variables: 255,
  variableChars: 64 * KiB,
  textChars: MiB,
  steps: 20_000_000,
  includeDepth: 10,
  includes: 255,
  bodyBytes: 16 * MiB,
  headerFieldBytes: 2 * KiB,
  outputBytes: MiB,
  programMs: 10_000,
  vacationSecondsLeast: DAY_SECONDS,
  vacationSecondsMost: 60 * DAY_SECONDS,
  duplicateSecondsMost: 7 * DAY_SECONDS,
};

/** Problems told of one script; more would not be read. */
export const PROBLEMS_MAX = 20;
/** RFC 5229 section 3: at least 9 match variables; Pigeonhole has 32 with ${0}. */
export const MATCH_VARIABLES = 32;
/** RFC 5228 section 2.4.1: 31 bits must do; ours is the bound of the quantified number as well. */
export const NUMBER_MAX = 2 ** 53 - 1;
/** Names of variables, namespaces included. */
export const VARIABLE_NAME_CHARS = 64;
/** Compiled included scripts that are kept for the next message. */
export const INCLUDE_CACHE = 200;
/** Regular expressions of one script: the largest one takes milliseconds to compile. */
export const REGEX_PATTERNS = 200;
/** Loops within each other, those of included scripts too (Pigeonhole has as many). */
export const LOOP_DEPTH = 4;
/** Octets of a part, as it is encoded, that extracttext looks at. */
export const EXTRACTED_BYTES = MiB;
/** Octets that replace, enclose and convert may add to one message. */
export const GROWTH_BYTES = 16 * MiB;
/** Program names and their arguments (vnd.dovecot.pipe, section 3 and 4). */
export const PROGRAM_NAME_CHARS = 128;
export const PROGRAM_ARGUMENTS = 32;
export const PROGRAM_ARGUMENT_BYTES = 16 * KiB;
