/** Every restriction, once, by each of its names. The compiler and the reference page read these rows. */
import type { Restriction } from './restriction.ts';
import { ACCESS } from './restrictions/access.ts';
import { ADDRESS } from './restrictions/address.ts';
import { CLIENT } from './restrictions/client.ts';
import { FOREIGN } from './restrictions/foreign.ts';
import { GENERAL } from './restrictions/general.ts';
import { HELO } from './restrictions/helo.ts';
import { LOGIN } from './restrictions/login.ts';
import { RBL } from './restrictions/rbl.ts';
import { RELAY } from './restrictions/relay.ts';
import { SERVERS } from './restrictions/servers.ts';
import { SERVICE } from './restrictions/service.ts';

export const RESTRICTIONS: readonly Restriction[] = [
  ...GENERAL,
  ...CLIENT,
  ...HELO,
  ...ADDRESS,
  ...LOGIN,
  ...RELAY,
  ...ACCESS,
  ...SERVERS,
  ...RBL,
  ...SERVICE,
  ...FOREIGN,
];

export const RESTRICTION_BY_NAME: ReadonlyMap<string, Restriction> = new Map(RESTRICTIONS.flatMap((row) => row.names.map((name) => [name, row] as const)));
