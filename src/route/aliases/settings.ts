/** How aliases are expanded; where they come from (`alias_maps`) is declared here, too, and used by the router. */
import { choice, count, list } from '../../system/declare.ts';

const PLACES = ['alias', 'forward', 'include'];
const placeCheck = (entry: string): string | undefined => (PLACES.includes(entry) ? undefined : `must be one of ${PLACES.join(', ')}`);

export const ALIAS_SETTINGS = {
  'aliases.sources': list({
    default: [],
    doc: 'Files and tables of aliases for the local domains, asked in this order. Text files such as /etc/aliases are read as they are: nothing has to be compiled.',
    see: 'Postfix alias_maps',
    accepts: 'a list of tables: ["hash:/etc/aliases", "mysql:/etc/posthorn/aliases.cf"]',
  }),
  'aliases.commands': list({
    default: ['alias', 'forward'],
    doc: 'Where "|command" may stand.',
    see: 'Postfix allow_mail_to_commands',
    accepts: 'a list of "alias", "forward", "include"',
    check: placeCheck,
  }),
  'aliases.files': list({
    default: ['alias', 'forward'],
    doc: 'Where "/file" and "/maildir/" may stand.',
    see: 'Postfix allow_mail_to_files',
    accepts: 'a list of "alias", "forward", "include"',
    check: placeCheck,
  }),
  'aliases.owner': choice({
    of: ['name', 'expanded'],
    default: 'name',
    doc: 'Who gets the reports about mail through an alias that has an owner: owner-NAME itself, or the address that it leads to.',
    see: 'Postfix expand_owner_alias',
  }),
  'aliases.targetsMax': count({ default: 100_000, least: 1, most: 1_000_000, doc: 'Recipients that one address may expand to; more of them is one refusal.' }),
  'aliases.depthMax': count({ default: 50, least: 1, most: 1000, doc: 'Aliases and lists within each other.' }),
};
