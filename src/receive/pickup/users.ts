/** Names of system users by number. Node knows only its own user; the rest is in /etc/passwd. */
import { readFileSync } from 'node:fs';

/** Answers "name", and the full name when there is one; for unknown users the number itself. Reads the file each time: it is small, pickup is rare. */
export function userOf(uid: number, file = '/etc/passwd'): { name: string; fullName: string | null } {
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    // A container may have no such file; the number then says who it was.
  }
  for (const line of text.split('\n')) {
    const [name, , id, , gecos] = line.split(':');
    // "Full Name,room,phone"; "&" stands for the user's name.
    if (name !== undefined && name !== '' && id === String(uid)) return { name, fullName: gecos?.split(',')[0]?.replaceAll('&', name).trim() || null };
  }
  return { name: `uid${uid}`, fullName: null };
}
