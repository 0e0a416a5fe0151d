/** RFC 5293: addheader and deleteheader. */
import { textField } from '../../../../mail/compose.ts';
import type { Call } from '../call.ts';
import { occurrence } from '../fields.ts';
import { isFieldName } from '../field-name.ts';
import type { Field } from '../header-view.ts';
import { compileMatch } from '../match.ts';
import type { Extension, SieveExtensions, Step } from '../registry.ts';
import type { Flow, Run } from '../run.ts';
import type { Text } from '../text.ts';

/** Section 6: what loops and replies are recognised by stays. */
const NEVER_DELETED: ReadonlySet<string> = new Set(['received', 'auto-submitted']);

function checkName(call: Call, name: Text): void {
  if (name.constant !== null && !isFieldName(name.constant)) call.problem(`"${name.constant.slice(0, 60)}" is no name of a header field`, name.line);
}

function nameValue(run: Run, name: Text): string {
  const text = name.value(run);
  return isFieldName(text) ? text : run.fail(`"${text.slice(0, 60)}" is no name of a header field`);
}

function isProtected(extensions: SieveExtensions, name: string): boolean {
  return extensions.protectedHeaders.has(name);
}

function addHeader(call: Call): Step<Flow> {
  const name = call.needText('name');
  const value = call.needText('value');
  checkName(call, name);
  const isLast = call.has(':last');
  const { extensions, limits } = call.context;
  return {
    now(run) {
      const fieldName = nameValue(run, name);
      if (isProtected(extensions, fieldName.toLowerCase())) return undefined;
      const text = value
        .value(run)
        .replace(/[\r\n\0]+[ \t]*/g, ' ')
        .trim();
      const field = Buffer.from(textField(fieldName, text), 'utf8');
      if (field.length > limits.headerFieldBytes) run.fail(`the header field is larger than ${limits.headerFieldBytes} octets`);
      const { bytes, fields } = run.message.header;
      run.charge(bytes.length >> 2);
      if (!isLast) run.message.replaceHeader(Buffer.concat([field, bytes]));
      else {
        const end = fields.at(-1)?.end ?? 0;
        run.message.replaceHeader(Buffer.concat([bytes.subarray(0, end), field, bytes.subarray(end)]));
      }
      return undefined;
    },
  };
}

function deleteHeader(call: Call): Step<Flow> {
  const name = call.needText('name');
  checkName(call, name);
  const patterns = call.texts('patterns');
  const matches = patterns === null ? null : compileMatch(call, patterns);
  if (call.has(':list')) call.problem('deleteheader does not take :list');
  const select = occurrence(call);
  const { extensions } = call.context;
  return {
    now(run) {
      const key = nameValue(run, name).toLowerCase();
      if (NEVER_DELETED.has(key) || isProtected(extensions, key)) return undefined;
      const { header } = run.message;
      run.charge(header.bytes.length >> 2);
      const named = header.named(key);
      const gone = (select === null ? named : select(named)).filter((field) => matches === null || matches(run, [field.text]));
      if (gone.length > 0) run.message.replaceHeader(cutOut(header.bytes, gone));
      return undefined;
    },
  };
}

/** The section without these fields, which stand in their order. */
function cutOut(bytes: Buffer, fields: readonly Field[]): Buffer {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const { start, end } of fields) {
    pieces.push(bytes.subarray(at, start));
    at = end;
  }
  pieces.push(bytes.subarray(at));
  return Buffer.concat(pieces);
}

export const EDITHEADER: Extension = {
  name: 'editheader',
  commands: [
    {
      name: 'addheader',
      tags: [{ name: 'last', argument: null }],
      positional: [
        { name: 'name', type: 'string' },
        { name: 'value', type: 'string' },
      ],
      compile: addHeader,
    },
    {
      name: 'deleteheader',
      tags: [
        { name: 'index', argument: 'number' },
        { name: 'last', argument: null },
      ],
      tagSets: ['match'],
      positional: [
        { name: 'name', type: 'string' },
        { name: 'patterns', type: 'strings', isOptional: true },
      ],
      compile: deleteHeader,
    },
  ],
};
