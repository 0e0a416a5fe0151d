/** What one restriction says. */

/** 0: nothing, go on. 1: permitted. 2: refused, the reply is in the run. Numbers, as they are compared at every step. */
export type Status = 0 | 1 | 2;
export const DUNNO = 0;
export const PERMIT = 1;
export const REFUSE = 2;

export { after, type Soon } from '../soon.ts';
