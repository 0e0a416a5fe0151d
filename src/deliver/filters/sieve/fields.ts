/** Where header, address, exists and date look, and the texts they find there. */
import type { Call } from './call.ts';
import { isFieldName } from './field-name.ts';
import type { Field, HeaderView } from './header-view.ts';
import type { Step } from './registry.ts';
import type { Run } from './run.ts';
import { mapStep } from './steps.ts';
import type { Texts } from './text.ts';

export interface FieldSource {
  /** The header sections in which fields are looked for. */
  readonly sections: Step<readonly HeaderView[]>;
  /** What of a field is compared; null: its decoded value. */
  readonly texts: ((run: Run, field: Field) => readonly string[]) | null;
}

const MESSAGE: FieldSource = { sections: { now: (run) => [run.message.header] }, texts: null };

/** Where this call looks: in the message's header, or where an extension's tags say. */
export function fieldSource(call: Call): FieldSource {
  for (const extension of call.context.vocabulary.extensions) {
    const source = extension.fieldSource !== undefined && call.context.isOn(extension.name) ? extension.fieldSource(call) : null;
    if (source !== null) return source;
  }
  return MESSAGE;
}

/** Names of header fields; constants are checked now. */
export function fieldNames(call: Call, argument: string): Texts {
  const names = call.needTexts(argument);
  for (const name of names.items) {
    if (name.constant !== null && !isFieldName(name.constant)) call.problem(`"${name.constant.slice(0, 60)}" is no name of a header field`, name.line);
  }
  return names;
}

/** :index and :last (RFC 5260 section 6): which occurrence of each name; null for all. */
export function occurrence(call: Call): ((fields: readonly Field[]) => readonly Field[]) | null {
  const index = call.number(':index');
  const isLast = call.has(':last');
  if (index === null) {
    if (isLast) call.problem(':last needs :index');
    return null;
  }
  if (index < 1) call.problem(':index counts from 1');
  return (fields) => {
    const field = fields[isLast ? fields.length - index : index - 1];
    return field === undefined ? [] : [field];
  };
}

/** Fields of these names, in the order of the names; occurrences are counted through all sections. */
export function selectFields(call: Call, names: Texts): Step<readonly Field[]> {
  const { sections } = fieldSource(call);
  const select = occurrence(call);
  const lower = names.constants?.map((name) => name.toLowerCase()) ?? null;
  return mapStep(sections, (run, views) => {
    const found: Field[] = [];
    for (const name of lower ?? names.values(run).map((value) => value.toLowerCase())) {
      const fields = views.length === 1 ? views[0]!.named(name) : views.flatMap((view) => view.named(name));
      run.charge(views.length + fields.length);
      for (const field of select === null ? fields : select(fields)) found.push(field);
    }
    return found;
  });
}
