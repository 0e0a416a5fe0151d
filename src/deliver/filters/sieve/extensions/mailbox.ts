/** Tests about mailboxes: RFC 5490 (mailbox, mboxmetadata, servermetadata) and RFC 8579 (special-use). */
import { ask } from '../../filter.ts';
import type { Call } from '../call.ts';
import { mailboxProblem } from '../mailbox-name.ts';
import { compileMatch } from '../match.ts';
import type { Extension, Step } from '../registry.ts';
import type { Text } from '../text.ts';
import { isUse } from '../special-use.ts';
import { isObjectId } from '../object-id.ts';

/** RFC 5490 section 3.1: all of them are there. */
function mailboxExists(call: Call): Step<boolean> {
  const names = call.needTexts('mailboxes');
  return {
    *ask(run) {
      for (const mailbox of names.values(run)) {
        run.charge(100);
        if (mailboxProblem(mailbox) !== null || !(yield* ask({ kind: 'mailboxExists', mailbox }))) return false;
      }
      return true;
    },
  };
}

/** RFC 9042 section 4: mailboxes with all of these object ids are there. */
function mailboxIdExists(call: Call): Step<boolean> {
  const ids = call.needTexts('ids');
  return {
    *ask(run) {
      for (const mailboxId of ids.values(run)) {
        run.charge(100);
        if (!isObjectId(mailboxId) || !(yield* ask({ kind: 'mailboxIdExists', mailboxId }))) return false;
      }
      return true;
    },
  };
}

/** RFC 8579 section 3: each use belongs to this mailbox, or to any when none is named. */
function specialUseExists(call: Call): Step<boolean> {
  const mailbox = call.text('mailbox');
  const uses = call.needTexts('uses');
  for (const use of uses.items) {
    if (use.constant !== null && !isUse(use.constant)) call.problem(`"${use.constant.slice(0, 60)}" is no special-use attribute`, use.line);
  }
  return {
    *ask(run) {
      const list = uses.values(run);
      if (!list.every(isUse)) return false;
      run.charge(100);
      return yield* ask({ kind: 'specialUseExists', mailbox: mailbox?.value(run) ?? null, uses: list });
    },
  };
}

/** RFC 5464 section 4: "/private/…" or "/shared/…". */
function isAnnotation(name: string): boolean {
  return /^\/(?:private|shared)\/[!-$&-)+-~]{1,500}$/i.test(name) && !name.endsWith('/') && !name.includes('//');
}

function checkAnnotation(call: Call, text: Text): void {
  if (text.constant !== null && !isAnnotation(text.constant)) call.problem(`"${text.constant.slice(0, 60)}" is no annotation`, text.line);
}

/** The tests metadata and servermetadata. */
function metadata(call: Call): Step<boolean> {
  const mailbox = call.text('mailbox');
  const annotation = call.needText('annotation');
  checkAnnotation(call, annotation);
  const matches = compileMatch(call, call.needTexts('keys'));
  if (call.has(':list')) call.problem(`${call.name} does not take :list`);
  return {
    *ask(run) {
      const name = annotation.value(run);
      if (!isAnnotation(name)) return false;
      run.charge(100);
      const value = yield* ask({ kind: 'metadata', mailbox: mailbox?.value(run) ?? null, annotation: name });
      // One that is not set makes the test false, even where :count asks for none (section 3.2).
      return value !== null && matches(run, [value]);
    },
  };
}

function metadataExists(call: Call): Step<boolean> {
  const mailbox = call.text('mailbox');
  const annotations = call.needTexts('annotations');
  for (const annotation of annotations.items) checkAnnotation(call, annotation);
  return {
    *ask(run) {
      const name = mailbox?.value(run) ?? null;
      for (const annotation of annotations.values(run)) {
        run.charge(100);
        if (!isAnnotation(annotation) || (yield* ask({ kind: 'metadata', mailbox: name, annotation })) === null) return false;
      }
      return true;
    },
  };
}

const MAILBOX = { name: 'mailbox', type: 'string' } as const;
const ANNOTATION = { name: 'annotation', type: 'string' } as const;
const ANNOTATIONS = { name: 'annotations', type: 'strings' } as const;
const KEYS = { name: 'keys', type: 'strings' } as const;

export const MAILBOX_EXTENSIONS: readonly Extension[] = [
  {
    name: 'mailbox',
    tests: [{ name: 'mailboxexists', positional: [{ name: 'mailboxes', type: 'strings' }], compile: mailboxExists }],
    tags: { fileinto: [{ name: 'create', argument: null }] },
  },
  {
    name: 'mailboxid',
    tests: [{ name: 'mailboxidexists', positional: [{ name: 'ids', type: 'strings' }], compile: mailboxIdExists }],
    // Section 5: an id and a use at once would be two places.
    tags: { fileinto: [{ name: 'mailboxid', argument: 'string', group: 'place' }] },
  },
  {
    name: 'mboxmetadata',
    tests: [
      { name: 'metadata', tagSets: ['match'], positional: [MAILBOX, ANNOTATION, KEYS], compile: metadata },
      { name: 'metadataexists', positional: [MAILBOX, ANNOTATIONS], compile: metadataExists },
    ],
  },
  {
    name: 'servermetadata',
    tests: [
      { name: 'servermetadata', tagSets: ['match'], positional: [ANNOTATION, KEYS], compile: metadata },
      { name: 'servermetadataexists', positional: [ANNOTATIONS], compile: metadataExists },
    ],
  },
  {
    name: 'special-use',
    tests: [
      {
        name: 'specialuse_exists',
        positional: [
          { name: 'mailbox', type: 'string', isOptional: true },
          { name: 'uses', type: 'strings' },
        ],
        compile: specialUseExists,
      },
    ],
    tags: { fileinto: [{ name: 'specialuse', argument: 'string', group: 'place' }] },
  },
];
