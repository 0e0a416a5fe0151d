/** All conversations. */
import type { Setup } from '../types.ts';
import { ADDRESSES } from './addresses.ts';
import { BASICS } from './basics.ts';
import { CLIENT_AND_HELO } from './client-and-helo.ts';
import { LISTS_AND_DEFERRALS } from './lists-and-deferrals.ts';
import { SERVICES } from './services.ts';
import { SESSIONS } from './sessions.ts';
import { TABLES } from './tables.ts';

export const SETUPS: readonly Setup[] = [...BASICS, ...CLIENT_AND_HELO, ...ADDRESSES, ...TABLES, ...LISTS_AND_DEFERRALS, ...SERVICES, ...SESSIONS];
