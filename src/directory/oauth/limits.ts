/** Bounds of what authorization servers and tokens may cost. */
import { KiB, MINUTE, SECOND } from '../../system/declare.ts';

/** An introspection answer with many claims has a few kilobytes, a key set of a large provider 20. */
export const ANSWER_BYTES_MAX = 256 * KiB;
/** Connections to the authorization server, for each thread; questions beyond wait for their turn within `oauth.timeout`. */
export const CONNECTIONS_MAX = 16;
/** Questions under way or waiting; the next logins are told to come back. */
export const QUESTIONS_MAX = 200;
/** How long keys are used before they are asked for again. Those that are there stay in use when the issuer cannot be reached. */
export const KEYS_FRESH_MS = 10 * MINUTE;
/** A token signed with a key we do not have lets us ask for the keys at once, but so often only. */
export const KEYS_AGAIN_MS = 10 * SECOND;
/** After a failure: doubles up to the most. */
export const BACK_OFF_MS = 2 * SECOND;
export const BACK_OFF_MS_MAX = 2 * MINUTE;
/** Keys of one set that a token without a key id is tried with. */
export const KEYS_TRIED_MAX = 8;
/** A file of keys is looked at again after so long. */
export const FILE_FRESH_MS = 5 * SECOND;
