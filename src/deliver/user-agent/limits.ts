/** Bounds of the user agent, with their reasons. */

/** JSON of one task or answer; addresses, options and symbols. */
export const HEAD_BYTES_MAX = 1024 * 1024;
/** Bytes behind a head: a message, or the changed messages of an answer. */
export const BODY_BYTES_MAX = 1024 * 1024 * 1024;
/** A changed message that a filter hands back may be larger than the one it got, but not without end. */
export const ANSWER_BYTES_MAX = 256 * 1024 * 1024;
/** Tasks that wait for a worker; the courier's own limits come first. */
export const WAITING_MAX = 10_000;
/** Worker processes of one user at once (Postfix: local_destination_concurrency_limit). */
export const WORKERS_PER_USER = 2;
/** Requests of one filter run: what no sane script reaches. */
export const REQUESTS_MAX = 100_000;
/** Effects (messages stored, sent on, programs started) of one delivery. */
export const ACTIONS_MAX = 1000;
/** Text of a program's output that goes into a report (Postfix keeps 4096 bytes). */
export const OUTPUT_TEXT_MAX = 4096;
/** Output of programs that nobody asked for is cut off there by ending the program's output file. */
export const OUTPUT_FILE_MAX = 64 * 1024 * 1024;
/** What a pipe would have held: a program that left no more than this unread is not said to have refused its input. */
export const PIPE_BYTES = 64 * 1024;
export const STEPS_MAX = 200;
export const STEP_CHARS_MAX = 300;
export const LOG_LINES_MAX = 100;
/** Password checks: at once, waiting, and for one user name in a minute. */
export const PASSWORD_CHECKS_AT_ONCE = 4;
export const PASSWORD_CHECKS_WAITING = 100;
export const PASSWORD_CHECKS_PER_USER_MINUTE = 20;
export const PASSWORD_BYTES_MAX = 512;
/** unix_chkpwd with a slow hash takes a second; PAM itself waits up to two for a wrong one. */
export const PASSWORD_MS_MAX = 20_000;
/** A user's worker that was told to stop by the user himself (SIGSTOP) would otherwise be waited for without end. */
export const WORKER_GRACE_MS = 30_000;
