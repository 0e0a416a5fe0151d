/** A large mailbox as people have it: a Maildir of generated messages of the usual sizes, kinds and headers, the same at every run. */
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { seeded } from '../../test/torture/random.ts';
import { prose } from './message.ts';

type Random = ReturnType<typeof seeded>;

const FIRST = 'Anna Bernd Carla David Eva Frank Greta Hugo Ines Jan Karin Lars Maria Nils Olga Paul Rosa Sven Tina Uwe'.split(' ');
const LAST = 'Meyer Schulz Novak Rossi Garcia Smith Jones Keller Fischer Weber Dubois Martin Silva Costa Kim Tanaka Chen Singh Brown'.split(' ');
const DOMAINS = 'example.com example.net example.org mail.example.com news.example.net shop.example.org corp.example.com'.split(' ');
const SUBJECT = 'invoice report meeting order plan project update travel contract offer notes question photos release schedule budget'.split(' ');
/** In one text of a thousand, for searches. */
export const RARE_WORD = 'zanzibar';
const FIRST_DAY = Date.UTC(2021, 0, 1) / 1000;
const APART_SECONDS = 1500;

/** Text is cut out of one long piece: making it anew for every message would take longer than measuring. */
let pool: string | null = null;
function text(random: Random, bytes: number): string {
  pool ??= prose(4_000_000, 11, '\n');
  const start = random.between(0, pool.length - bytes - 1);
  return pool.slice(start, start + bytes);
}
const pick = <T>(random: Random, list: readonly T[]): T => list[random.between(0, list.length - 1)]!;
const word = (random: Random): string => Math.floor(random.next() * 2 ** 48).toString(36);

function sizeOf(random: Random): number {
  const kind = random.next();
  if (kind < 0.6) return random.between(1800, 4900);
  if (kind < 0.88) return random.between(6000, 18_000);
  if (kind < 0.97) return random.between(30_000, 50_000);
  return random.between(60_000, 200_000);
}

/** One message with LF line ends; `ids` are the Message-IDs so far, which replies refer to. */
export function realMessage(random: Random, index: number, bytes: number, ids: string[]): string {
  const seconds = FIRST_DAY + index * APART_SECONDS;
  const date = new Date(seconds * 1000).toUTCString().replace('GMT', '+0000');
  const [first, last, domain] = [pick(random, FIRST), pick(random, LAST), pick(random, DOMAINS)];
  const id = `${index}.${word(random)}@${domain}`;
  const isReply = ids.length > 0 && random.next() < 0.4;
  const parents = isReply ? [pick(random, ids.slice(-2000)), ...(random.next() < 0.5 ? [ids.at(-1)!] : [])] : [];
  ids.push(id);
  const subject = `${isReply ? 'Re: ' : ''}${random.next() < 0.1 ? '=?utf-8?Q?Gr=C3=BC=C3=9Fe?= ' : ''}${pick(random, SUBJECT)} ${pick(random, SUBJECT)} ${random.between(1, 900)}`;
  const head = [
    `Return-Path: <${first.toLowerCase()}@${domain}>`,
    `Received: from out.${domain} (out.${domain} [192.0.2.${random.between(1, 254)}])\n\tby mx.perf.test with ESMTPS id ${word(random)}\n\tfor <user@perf.test>; ${date}`,
    `DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=${domain}; s=s2024;\n\tbh=${word(random).repeat(4)};\n\tb=${word(random).repeat(20)}`,
    `From: ${first} ${last} <${first.toLowerCase()}.${last.toLowerCase()}@${domain}>`,
    'To: Test User <user@perf.test>',
    ...(random.next() < 0.2 ? [`Cc: ${pick(random, LAST)} <cc${random.between(1, 99)}@${pick(random, DOMAINS)}>`] : []),
    `Subject: ${subject}`,
    `Date: ${date}`,
    `Message-ID: <${id}>`,
    ...(parents.length === 0 ? [] : [`In-Reply-To: <${parents.at(-1)}>`, `References: ${parents.map((parent) => `<${parent}>`).join('\n ')}`]),
    'MIME-Version: 1.0',
    'X-Mailer: ExampleMailer 4.2',
  ];
  const rare = index % 1000 === 500 ? `\nWe meet in ${RARE_WORD} this year.\n` : '';
  const room = Math.max(200, bytes - 1200);
  if (bytes < 5000) return `${head.join('\n')}\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n${text(random, room)}${rare}\n`;
  const boundary = `=_${word(random)}`;
  const plain = Math.min(6000, Math.floor(room / 3));
  const html = (size: number): string => `<html><body><p style=3D"margin:0">${text(random, size).replaceAll('\n', '</p>=\n<p>')}</p></body></html>`;
  const both = (mark: string, size: number): string =>
    `--${mark}\nContent-Type: text/plain; charset=utf-8\n\n${text(random, size)}${rare}\n--${mark}\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n${html(Math.min(size * 2, room - size))}\n--${mark}--\n`;
  if (bytes < 30_000) return `${head.join('\n')}\nContent-Type: multipart/alternative; boundary="${boundary}"\n\n${both(boundary, Math.floor(room / 3))}`;
  const inner = `${boundary}a`;
  const binary = Buffer.from(Array.from({ length: Math.floor((room - plain * 3) / 1.37 / 8) }, () => random.next()).map((n) => Math.floor(n * 2 ** 32)))
    .toString('base64')
    .replace(/.{76}/g, '$&\n');
  const attachment = `Content-Type: application/octet-stream; name="report ${index}.bin"\nContent-Disposition: attachment; filename="report ${index}.bin"\nContent-Transfer-Encoding: base64\n\n${binary.repeat(8)}\n`;
  return `${head.join('\n')}\nContent-Type: multipart/mixed; boundary="${boundary}"\n\n--${boundary}\nContent-Type: multipart/alternative; boundary="${inner}"\n\n${both(inner, plain)}\n--${boundary}\n${attachment}--${boundary}--\n`;
}

/** Writes `count` messages into a new Maildir; seven of ten are seen. Answers the octets of all. */
export function writeMaildir(dir: string, count: number, seed = 1): number {
  for (const part of ['cur', 'new', 'tmp']) mkdirSync(join(dir, part), { recursive: true });
  const random = seeded(seed);
  const ids: string[] = [];
  let total = 0;
  for (let index = 0; index < count; index += 1) {
    const bytes = Buffer.from(realMessage(random, index, sizeOf(random), ids));
    const seconds = FIRST_DAY + index * APART_SECONDS;
    const lines = bytes.reduce((sum, byte) => sum + (byte === 10 ? 1 : 0), 0);
    const file = join(dir, 'cur', `${seconds}.M${index}P1.bench,S=${bytes.length},W=${bytes.length + lines}:2,${index % 10 < 7 ? 'S' : ''}`);
    writeFileSync(file, bytes);
    utimesSync(file, seconds, seconds);
    total += bytes.length;
  }
  return total;
}

/** 1,000 different messages of 4 KB with CRLF, for APPEND. */
export function appendPool(count = 1000): Buffer[] {
  const random = seeded(99);
  const ids: string[] = [];
  return Array.from({ length: count }, (_, index) => Buffer.from(realMessage(random, index, 4096, ids).replaceAll('\n', '\r\n')));
}
