/** RFC 5435: enotify, with the method mailto of RFC 5436. */
import { parseSieveAddress } from '../addresses.ts';
import type { Call } from '../call.ts';
import { compileMatch } from '../match.ts';
import type { Extension, SieveExtensions, Step } from '../registry.ts';
import type { Flow } from '../run.ts';
import { fccOf } from './fcc.ts';

const URI_CHARS_MAX = 4096;
const RECIPIENTS_MAX = 10;

/** A sentence when a notification cannot be sent that way. */
function methodProblem(uri: string, extensions: SieveExtensions): string | null {
  const colon = uri.indexOf(':');
  const scheme = colon === -1 ? '' : uri.slice(0, colon).toLowerCase();
  if (uri.length > URI_CHARS_MAX) return 'the address of a notification is too long';
  if (scheme === '' || !extensions.notifyMethods.includes(scheme)) return `there is no notification method "${scheme.slice(0, 40)}"`;
  return scheme === 'mailto' ? mailtoProblem(uri.slice(colon + 1)) : null;
}

/** RFC 6068: addresses with commas between, then header fields. */
function mailtoProblem(rest: string): string | null {
  const question = rest.indexOf('?');
  const addresses: string[] = [];
  const list = (text: string): void => {
    for (const one of text.split(',')) if (one !== '') addresses.push(one);
  };
  list(question === -1 ? rest : rest.slice(0, question));
  if (question !== -1) {
    for (const field of rest.slice(question + 1).split('&')) {
      const equals = field.indexOf('=');
      if (equals < 1) return 'a header field of the mailto: address has no "="';
      if (/^(?:to|cc)$/i.test(field.slice(0, equals))) list(field.slice(equals + 1));
    }
  }
  if (addresses.length === 0) return 'the mailto: address names nobody';
  if (addresses.length > RECIPIENTS_MAX) return `a mailto: address may name ${RECIPIENTS_MAX} people at most`;
  for (const one of addresses) {
    const decoded = percentDecode(one);
    if (decoded === null || parseSieveAddress(decoded) === null) return `"${one.slice(0, 60)}" is no address`;
  }
  return null;
}

function percentDecode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null; // URIError: not UTF-8 behind the percent signs
  }
}

/** RFC 5435 section 3. */
function notify(call: Call): Step<Flow> {
  const method = call.needText('method');
  const { extensions } = call.context;
  const problem = method.constant === null ? null : methodProblem(method.constant, extensions);
  if (problem !== null) call.problem(problem, method.line);
  const from = call.text(':from');
  if (from !== null && from.constant !== null && parseSieveAddress(from.constant) === null) {
    call.problem(`"${from.constant.slice(0, 100)}" is no address`, from.line);
  }
  const importanceText = call.text(':importance');
  if (importanceText !== null && importanceText.constant !== null && !/^[123]$/.test(importanceText.constant)) {
    call.problem(':importance takes "1", "2" or "3"', importanceText.line);
  }
  const options = call.texts(':options');
  const text = call.text(':message');
  const fcc = fccOf(call);
  const { line } = call;
  return {
    now(run) {
      const uri = method.value(run);
      const wrong = methodProblem(uri, extensions);
      if (wrong !== null) run.fail(wrong);
      const fromText = from?.value(run) ?? null;
      if (fromText !== null && parseSieveAddress(fromText) === null) run.fail(`"${fromText.slice(0, 100)}" is no address`);
      const importance = importanceText?.value(run) ?? '2';
      if (!/^[123]$/.test(importance)) run.fail(':importance takes "1", "2" or "3"');
      const message = text?.value(run) ?? null;
      run.result.add(
        {
          kind: 'notify',
          origin: run.origin(line),
          message: null,
          method: uri,
          from: fromText,
          importance: Number(importance) as 1 | 2 | 3,
          options: options?.values(run) ?? [],
          text: message,
          fcc: fcc(run),
        },
        { key: `notify ${JSON.stringify([uri, fromText, message])}` },
      );
      return undefined;
    },
  };
}

/** Section 5. "online" is not known of mail: "maybe" (RFC 5436 section 2.1). */
function methodCapability(call: Call): Step<boolean> {
  const uri = call.needText('uri');
  const capability = call.needText('capability');
  const matches = compileMatch(call, call.needTexts('keys'));
  const { extensions } = call.context;
  return {
    now(run) {
      if (methodProblem(uri.value(run), extensions) !== null || capability.value(run).toLowerCase() !== 'online') return false;
      return matches(run, ['maybe']);
    },
  };
}

/** Section 4. */
function validMethod(call: Call): Step<boolean> {
  const uris = call.needTexts('uris');
  const { extensions } = call.context;
  return { now: (run) => uris.values(run).every((uri) => methodProblem(uri, extensions) === null) };
}

export const ENOTIFY: Extension = {
  name: 'enotify',
  commands: [
    {
      name: 'notify',
      tags: [
        { name: 'from', argument: 'string' },
        { name: 'importance', argument: 'string' },
        { name: 'options', argument: 'strings' },
        { name: 'message', argument: 'string' },
      ],
      positional: [{ name: 'method', type: 'string' }],
      compile: notify,
    },
  ],
  tests: [
    { name: 'valid_notify_method', positional: [{ name: 'uris', type: 'strings' }], compile: validMethod },
    {
      name: 'notify_method_capability',
      tagSets: ['match'],
      positional: [
        { name: 'uri', type: 'string' },
        { name: 'capability', type: 'string' },
        { name: 'keys', type: 'strings' },
      ],
      compile: methodCapability,
    },
  ],
};
