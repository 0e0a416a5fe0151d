/** One message shown to a milter, as an MTA would, and what it answered: for tests that use OpenDKIM and OpenDMARC as witnesses. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { ALL_ACTIONS, COMMAND, PROTOCOL_VERSION } from '../../src/wire/milter/codes.ts';
import { type MilterCommand, writeCommand } from '../../src/wire/milter/command.ts';
import { NO_MACRO_LISTS } from '../../src/wire/milter/negotiate.ts';
import { PacketReader } from '../../src/wire/milter/packet.ts';
import { type MilterResponse, parseResponse } from '../../src/wire/milter/response.ts';

export interface Shown {
  readonly ip: string;
  readonly helo: string;
  /** With its brackets. */
  readonly sender: string;
  readonly recipient: string;
  readonly message: string;
}

/** What comes before the final answer are changes of the message; one that is not "continue" ends it early. */
export async function showMilter(path: string, shown: Shown): Promise<MilterResponse[]> {
  const socket = connect(path);
  await once(socket, 'connect');
  const reader = new PacketReader();
  const incoming = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const next = async (): Promise<MilterResponse> => {
    for (;;) {
      const packet = reader.next();
      const response = packet === null ? null : parseResponse(packet);
      if (response !== null) return response;
      if (reader.failure !== null || packet !== null) throw new Error(`the milter sent what is no answer: ${reader.failure}`);
      const { value, done } = await incoming.next();
      if (done === true) throw new Error('the milter hung up');
      reader.push(value);
    }
  };
  const say = async (command: MilterCommand): Promise<MilterResponse> => {
    socket.write(writeCommand(command));
    return next();
  };
  try {
    await say({ kind: 'negotiate', options: { version: PROTOCOL_VERSION, actions: ALL_ACTIONS, steps: 0, macros: NO_MACRO_LISTS } });
    const split = shown.message.indexOf('\r\n\r\n');
    const fields = shown.message.slice(0, split).split(/\r\n(?![ \t])/);
    const id: MilterCommand = { kind: 'macro', command: COMMAND.mail, macros: [['i', 'queue1']] };
    const commands: MilterCommand[] = [
      { kind: 'connect', name: 'client.test', peer: { family: 'inet', port: 4000, address: shown.ip } },
      { kind: 'helo', name: shown.helo },
      { kind: 'mail', address: shown.sender, args: [] },
      { kind: 'rcpt', address: shown.recipient, args: [] },
      { kind: 'data' },
      // Milters of this age take the blank after the colon as the MTA's, and lines with LF alone.
      ...fields.map(
        (field): MilterCommand => ({
          kind: 'header',
          name: field.slice(0, field.indexOf(':')),
          value: field
            .slice(field.indexOf(':') + 1)
            .replace(/^ /, '')
            .replaceAll('\r\n', '\n'),
        }),
      ),
      { kind: 'endOfHeaders' },
      { kind: 'body', chunk: Buffer.from(shown.message.slice(split + 4), 'latin1') },
    ];
    for (const command of commands) {
      if (command.kind === 'mail') socket.write(writeCommand(id));
      const answer = await say(command);
      if (answer.kind !== 'continue' && answer.kind !== 'skip') return [answer];
    }
    const answers = [await say({ kind: 'endOfMessage', chunk: Buffer.alloc(0) })];
    while (CHANGES.has(answers.at(-1)!.kind)) answers.push(await next());
    return answers;
  } finally {
    socket.end(writeCommand({ kind: 'quit' }));
    socket.destroy();
  }
}
const CHANGES: ReadonlySet<string> = new Set([
  'addHeader',
  'insertHeader',
  'changeHeader',
  'replaceBody',
  'changeSender',
  'addRecipient',
  'deleteRecipient',
  'quarantine',
  'progress',
]);
