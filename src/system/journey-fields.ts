/** The fields of an event of the journey as the text that is kept. */
import type { JourneyEvent } from '../ports.ts';

/** Of one event. */
export const FIELDS_CHARACTERS_MAX = 16 * 1024;

/** An event whose fields are the text of `fieldsJson`: one text travels between threads faster than an object of many. */
export interface WrittenEvent extends Omit<JourneyEvent, 'fields'> {
  readonly fields: string;
}

/** The fields as JSON of bounded length: the longest texts are cut when they do not fit. */
export function fieldsJson(fields: Readonly<Record<string, unknown>>): string {
  const json = JSON.stringify(fields);
  if (json.length <= FIELDS_CHARACTERS_MAX) return json;
  const short = JSON.stringify(fields, (_key, value) => {
    if (typeof value === 'string' && value.length > 500) return `${value.slice(0, 500)}…`;
    if (Array.isArray(value) && value.length > 20) return [...value.slice(0, 20), `… ${value.length - 20} more`];
    return value;
  });
  return short.length <= FIELDS_CHARACTERS_MAX ? short : JSON.stringify({ isCut: true });
}
