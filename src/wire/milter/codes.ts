/** Numbers and letters of the milter protocol, version 6: what stands in the packets. */

export const PROTOCOL_VERSION = 6;
/** The oldest version that is still spoken: Sendmail 8.12. */
export const PROTOCOL_VERSION_LEAST = 2;

/** What a milter may ask the MTA to change (SMFIF_). */
export const ACTION = {
  addHeaders: 0x01,
  changeBody: 0x02,
  addRecipient: 0x04,
  deleteRecipient: 0x08,
  changeHeaders: 0x10,
  quarantine: 0x20,
  changeSender: 0x40,
  addRecipientWithArgs: 0x80,
  setMacroList: 0x100,
} as const;
export const ALL_ACTIONS = 0x1ff;

/** What an MTA need not send, need not wait for, or does otherwise (SMFIP_). */
export const STEP = {
  noConnect: 0x01,
  noHelo: 0x02,
  noMail: 0x04,
  noRcpt: 0x08,
  noBody: 0x10,
  noHeaders: 0x20,
  noEndOfHeaders: 0x40,
  noReplyHeader: 0x80,
  noUnknown: 0x100,
  noData: 0x200,
  /** The milter may answer a body chunk with "skip the rest". */
  skip: 0x400,
  /** The milter wants to see recipients that the MTA refused. */
  rejectedRcpt: 0x800,
  noReplyConnect: 0x1000,
  noReplyHelo: 0x2000,
  noReplyMail: 0x4000,
  noReplyRcpt: 0x8000,
  noReplyData: 0x10000,
  noReplyUnknown: 0x20000,
  noReplyEndOfHeaders: 0x40000,
  noReplyBody: 0x80000,
  /** White space between the colon and the value is part of the value. */
  leadingSpace: 0x100000,
} as const;
export const ALL_STEPS = 0x1fffff;

/** Stages for which a milter can name the macros it wants, by their number in SMFIR_SETSYMLIST. */
export const MACRO_STAGES = ['connect', 'helo', 'mail', 'rcpt', 'data', 'endOfMessage', 'endOfHeaders'] as const;
export type MacroStage = (typeof MACRO_STAGES)[number];

const code = (letter: string): number => letter.charCodeAt(0);

/** From the MTA to the milter (SMFIC_). */
export const COMMAND = {
  abort: code('A'),
  body: code('B'),
  connect: code('C'),
  macro: code('D'),
  endOfMessage: code('E'),
  helo: code('H'),
  quitNewConnection: code('K'),
  header: code('L'),
  mail: code('M'),
  endOfHeaders: code('N'),
  negotiate: code('O'),
  quit: code('Q'),
  rcpt: code('R'),
  data: code('T'),
  unknown: code('U'),
} as const;

/** From the milter to the MTA (SMFIR_). */
export const RESPONSE = {
  addRecipient: code('+'),
  deleteRecipient: code('-'),
  addRecipientWithArgs: code('2'),
  shutdown: code('4'),
  accept: code('a'),
  replaceBody: code('b'),
  continue: code('c'),
  discard: code('d'),
  changeSender: code('e'),
  connectionFail: code('f'),
  addHeader: code('h'),
  insertHeader: code('i'),
  macroList: code('l'),
  changeHeader: code('m'),
  negotiate: code('O'),
  progress: code('p'),
  quarantine: code('q'),
  reject: code('r'),
  skip: code('s'),
  tempfail: code('t'),
  replyCode: code('y'),
} as const;

/** Stage by the command whose macros a macro packet defines, and back. */
export const MACRO_COMMAND: Readonly<Record<MacroStage, number>> = {
  connect: COMMAND.connect,
  helo: COMMAND.helo,
  mail: COMMAND.mail,
  rcpt: COMMAND.rcpt,
  data: COMMAND.data,
  endOfMessage: COMMAND.endOfMessage,
  endOfHeaders: COMMAND.endOfHeaders,
};
