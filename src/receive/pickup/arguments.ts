/** The command line of sendmail(1), as getopt reads it: flags may be joined (-ti), values attached (-fa@b) or apart (-f a@b). */

export interface Arguments {
  /** submit: a message on stdin; smtp: -bs; queue: -bp; nothing: a mode that asks for nothing here (-bi, -q). */
  readonly mode: 'submit' | 'smtp' | 'queue' | 'nothing';
  /** -t: recipients are in the header too. */
  readonly fromHeader: boolean;
  /** -i, -oi: a line with a single dot is part of the message. */
  readonly ignoresDots: boolean;
  /** -f, -r: undefined = not given, '' = the null reverse-path. */
  readonly sender: string | undefined;
  /** -F. */
  readonly fullName: string | undefined;
  /** -N, -R, -V (RFC 3461). */
  readonly notify: string | undefined;
  readonly ret: 'FULL' | 'HDRS' | undefined;
  readonly envid: string | undefined;
  readonly recipients: readonly string[];
}
export type ParsedArguments = { readonly kind: 'ok'; readonly value: Arguments } | { readonly kind: 'usage'; readonly message: string };

/** Options with a value. Of these A, B, C, L, O, X, h, o and p say things that the server decides itself. */
const WITH_VALUE = 'ABCFLNORVXbfhopr';
/** Flags that change nothing here: -G -U -m -n -v -x and the like. */
const FLAGS = 'GUitmnvxIs';
/** Values only when attached: -q, -q30m, -d0.1. */
const OPTIONAL_VALUE = 'qd';

/** `name` is how the program was called: mailq and newaliases are -bp and -bi. */
export function parseArguments(name: string, argv: readonly string[]): ParsedArguments {
  let mode: Arguments['mode'] = name === 'mailq' ? 'queue' : name === 'newaliases' ? 'nothing' : 'submit';
  let fromHeader = false;
  let ignoresDots = false;
  let sender: string | undefined;
  let fullName: string | undefined;
  let notify: string | undefined;
  let ret: 'FULL' | 'HDRS' | undefined;
  let envid: string | undefined;
  const recipients: string[] = [];
  const usage = (message: string): ParsedArguments => ({ kind: 'usage', message });

  for (let i = 0; i < argv.length; i += 1) {
    const word = argv[i]!;
    if (word === '--') {
      recipients.push(...argv.slice(i + 1));
      break;
    }
    if (word.length < 2 || word[0] !== '-') {
      recipients.push(word);
      continue;
    }
    for (let at = 1; at < word.length; at += 1) {
      const option = word[at]!;
      if (FLAGS.includes(option)) {
        if (option === 't') fromHeader = true;
        else if (option === 'i') ignoresDots = true;
        continue;
      }
      if (OPTIONAL_VALUE.includes(option)) {
        // -q: run the queue. It runs by itself.
        if (option === 'q') mode = 'nothing';
        break;
      }
      if (!WITH_VALUE.includes(option)) return usage(`unknown option -${option}`);
      let value = word.slice(at + 1);
      if (value === '') {
        i += 1;
        if (i >= argv.length) return usage(`option -${option} needs a value`);
        value = argv[i]!;
      }
      if (option === 'b') {
        if (value === 'm') mode = 'submit';
        else if (value === 's') mode = 'smtp';
        else if (value === 'p') mode = 'queue';
        else if (value === 'i') mode = 'nothing';
        else return usage(value === 'd' || value === 'D' ? 'the server is started with "posthorn start", not with -bd' : `-b${value} is not supported`);
      } else if (option === 'f' || option === 'r') sender = value === '<>' ? '' : value;
      else if (option === 'F') fullName = value;
      else if (option === 'N') notify = value;
      else if (option === 'V') envid = value;
      else if (option === 'R') {
        const wanted = value.toUpperCase();
        if (wanted !== 'FULL' && wanted !== 'HDRS') return usage('-R takes full or hdrs');
        ret = wanted;
      } else if (option === 'o' && (value === 'i' || value === '7i' || value === '8i')) ignoresDots = true;
      break;
    }
  }
  return { kind: 'ok', value: { mode, fromHeader, ignoresDots, sender, fullName, notify, ret, envid, recipients } };
}
