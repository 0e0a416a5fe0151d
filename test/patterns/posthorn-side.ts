/** Our filter on the same messages and table files, in this process. */
import { createTables } from '../../src/directory/tables/open.ts';
import { TABLES_SETTINGS } from '../../src/directory/tables/settings.ts';
import { compilePatterns } from '../../src/judge/patterns/compile.ts';
import { PatternFilter } from '../../src/judge/patterns/filter.ts';
import { PATTERNS_SETTINGS } from '../../src/judge/patterns/settings.ts';
import { newEffects } from '../../src/judge/policy/facts.ts';
import type { Tables } from '../../src/ports.ts';
import { defaultsOf, KiB } from '../../src/system/declare.ts';
import type { TableSpecs } from './postfix-side.ts';
import type { Outcome, PatternSetup } from './types.ts';

export class PosthornSide {
  /** What the filter logged about the last message. */
  readonly story: string[] = [];
  readonly #tables: Tables;

  constructor() {
    const settings = { ...defaultsOf(TABLES_SETTINGS), 'tables.keyBytesMax': 128 * KiB };
    const log = (level: string) => (event: string, fields?: object) => void this.story.push(`${level} ${event} ${JSON.stringify(fields)}`);
    this.#log = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
    this.#tables = createTables({ log: this.#log, settings: () => settings, now: Date.now });
  }
  readonly #log;

  /** `pieceBytes`: how the message is cut. */
  async take(setup: PatternSetup, specs: TableSpecs, message: string, pieceBytes: number): Promise<Outcome> {
    this.story.length = 0;
    const listed = (spec: string | null): string[] => (spec === null ? [] : [spec]);
    const tables = compilePatterns(
      {
        ...defaultsOf(PATTERNS_SETTINGS),
        'patterns.headerChecks': listed(specs.header_checks),
        'patterns.mimeHeaderChecks': specs.mime_header_checks === null ? ['$headerChecks'] : [specs.mime_header_checks],
        'patterns.nestedHeaderChecks': specs.nested_header_checks === null ? ['$headerChecks'] : [specs.nested_header_checks],
        'patterns.bodyChecks': listed(specs.body_checks),
        ...(setup.bodyBytesMax === undefined ? {} : { 'patterns.bodyBytesMax': setup.bodyBytesMax }),
      },
      this.#tables,
    );
    if (tables === null) throw new Error(`setup ${setup.name} has no tables`);
    const effects = newEffects();
    const filter = new PatternFilter(tables, { log: this.#log, id: 'test', effects });
    const bytes = Buffer.from(message, 'latin1');
    const passed: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += pieceBytes)
      passed.push(Buffer.from((await filter.push(Uint8Array.from(bytes.subarray(at, at + pieceBytes)))) ?? []));
    passed.push(Buffer.from((await filter.end()) ?? []));
    if (filter.refusal !== null) return { reply: `${filter.refusal.code} ${filter.refusal.enhanced} ${filter.refusal.text}` };
    if (effects.isDiscarded) return { reply: '250', isDiscarded: true };
    return {
      reply: '250',
      isDiscarded: false,
      isHeld: effects.isHeld,
      redirect: effects.redirect,
      filter: effects.filter,
      bcc: effects.bcc,
      message: Buffer.concat(passed).toString('latin1').replaceAll('\r\n', '\n'),
    };
  }
}
