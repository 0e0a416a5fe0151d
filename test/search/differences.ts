/** Searches that Dovecot answers otherwise, and why we answer as we do. "~" stands before a text. */
export const DIFFERENCES: ReadonlyMap<string, string> = new Map([
  ['SENTBEFORE 1-Jan-2025', 'a message whose Date cannot be read was sent on no day at all, rather than in 1970'],
  ['SENTBEFORE 1-Jan-2000', 'a message whose Date cannot be read was sent on no day at all, rather than in 1970'],
]);
