import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../../system/failure.ts';
import { accept, acceptInput, addAccount, delivery, messageText, openTestStore } from '../testing.ts';
import { CODEC, compressFrame } from './codec.ts';
import { openBlobRow } from './reader.ts';

const TEXT = messageText('copied', 3000);
const PREFIX = Buffer.from('Delivered-To: b@example.org\r\n');
const row = (data: Uint8Array, codec: number) => ({ bytes: TEXT.length, codec, data, file: null, frames: null });

test('a message in the database is copied whole to where it is wanted, in every stored form, and nothing around it is touched', () => {
  const forms = [row(TEXT, CODEC.raw), row(compressFrame(TEXT), CODEC.zstd), row(compressFrame(TEXT, CODEC.zstdMail), CODEC.zstdMail)];
  for (const form of forms) {
    for (const prefix of [PREFIX, new Uint8Array(0)]) {
      const whole = Buffer.concat([prefix, TEXT]);
      for (const isReadBefore of [false, true]) {
        const reader = openBlobRow(form, prefix, '');
        if (isReadBefore) reader.slice(0, 1);
        const target = Buffer.alloc(10 + whole.length + 1, '.');
        reader.copyTo!(target, 10);
        assert.equal(target.toString('latin1', 0, 10), '..........');
        assert.ok(target.subarray(10, 10 + whole.length).equals(whole));
        // It may be copied, or read, again.
        assert.ok(Buffer.from(reader.slice(0, reader.size) as Uint8Array).equals(whole));
        reader.close();
      }
    }
  }
});

test('a damaged message cannot be copied: corruptBlob', () => {
  const isCorrupt = (error: unknown): boolean => error instanceof Failure && error.code === 'corruptBlob';
  const damaged = compressFrame(TEXT);
  damaged[damaged.length - 2]! ^= 1;
  const shorter = { ...row(compressFrame(TEXT), CODEC.zstd), bytes: TEXT.length - 1 };
  const longer = { ...row(compressFrame(TEXT), CODEC.zstd), bytes: TEXT.length + 1 };
  for (const form of [row(damaged, CODEC.zstd), shorter, longer]) {
    assert.throws(() => openBlobRow(form, PREFIX, '').copyTo!(Buffer.alloc(TEXT.length * 2), 0), isCorrupt);
  }
});

test('messages are read together with their bytes; one whose bytes are missing fails alone, when it is opened', async (t) => {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'b@example.org');
  for (const name of ['one', 'two', 'three']) await accept(store, acceptInput(store.staging.stage(messageText(name)), [delivery(id)]));
  await store.writer.run('test.sql', 'DELETE FROM blob WHERE id=(SELECT blob_id FROM email ORDER BY id LIMIT 1 OFFSET 1)');
  const bodies = store.reader.bodies(id, inbox.id, 1, 100, 2);
  assert.deepEqual(
    bodies.map(({ message }) => message.slice(0, 3)),
    store.reader.messages(id, inbox.id, 1, 100, 2).map((message) => message.slice(0, 3)),
  );
  const email = store.reader.email(id, bodies[0]!.message[6])!;
  assert.deepEqual(bodies[0]!.email, { id: email.id, prefix: email.prefix, blobBytes: email.blobBytes, headerBytes: email.headerBytes, parts: email.parts });
  const reader = bodies[0]!.open();
  assert.deepEqual(reader.slice(0, reader.size), store.reader.open(email).slice(0, reader.size));
  assert.throws(() => bodies[1]!.open(), { code: 'corruptBlob' });
  assert.deepEqual(store.reader.bodies(id, inbox.id + 1, 1, 100, 2), []);
});
