/** Passwords made by us. */
import { randomInt } from 'node:crypto';

/** Without characters that are read or typed wrongly (0 O 1 l I), and no vowels, so that no words arise: 28 signs. */
const ALPHABET = 'bcdfghjkmnpqrstvwxyz23456789';
const GROUPS = 6;
const GROUP_CHARACTERS = 4;

/** Six groups of four lower-case letters and digits joined by "-": 28^24, more than 115 bits. */
export function generatePassword(): string {
  const groups: string[] = [];
  for (let g = 0; g < GROUPS; g += 1) {
    let group = '';
    for (let c = 0; c < GROUP_CHARACTERS; c += 1) group += ALPHABET[randomInt(ALPHABET.length)];
    groups.push(group);
  }
  return groups.join('-');
}
