/** The remote host of the torture: takes everything except recipients that begin with "gone", and counts what it took. */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { copyKey } from './ledger.ts';
import { MARK_HEADER } from './load.ts';

export interface Sink {
  readonly port: number;
  readonly taken: ReadonlyMap<string, number>;
  close(): void;
}
const MARK = new RegExp(`^${MARK_HEADER}: (\\S+)`, 'm');
/** What the report about an undeliverable message of ours would hold as its header also has the mark: headers only. */
const HEADER_BYTES = 4096;

export async function startSink(): Promise<Sink> {
  const taken = new Map<string, number>();
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    serve(socket, taken);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as { port: number };
  return {
    port: address.port,
    taken,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function serve(socket: Socket, taken: Map<string, number>): void {
  let text = '';
  let recipients: string[] = [];
  let isData = false;
  socket.setNoDelay(true);
  socket.setEncoding('latin1');
  socket.on('error', () => {}); // The server under torture dies in mid-sentence.
  socket.write('220 sink.test ESMTP\r\n');
  socket.on('data', (chunk: string) => {
    text += chunk;
    let replies = '';
    for (;;) {
      if (isData) {
        const end = text.startsWith('.\r\n') ? 0 : text.indexOf('\r\n.\r\n');
        if (end < 0) break;
        const id = MARK.exec(text.slice(0, Math.min(end, HEADER_BYTES)))?.[1];
        text = text.slice(end + (end === 0 ? 3 : 5));
        if (id !== undefined) for (const recipient of recipients) taken.set(copyKey(id, recipient), (taken.get(copyKey(id, recipient)) ?? 0) + 1);
        replies += '250 2.0.0 taken\r\n';
        isData = false;
        continue;
      }
      const end = text.indexOf('\r\n');
      if (end < 0) break;
      const line = text.slice(0, end);
      text = text.slice(end + 2);
      const verb = line.slice(0, 4).toUpperCase();
      if (verb === 'EHLO') replies += '250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n';
      else if (verb === 'MAIL') {
        recipients = [];
        replies += '250 2.1.0 go on\r\n';
      } else if (verb === 'RCPT') {
        const recipient = /<([^>]*)>/.exec(line)?.[1] ?? '';
        if (recipient.startsWith('gone')) replies += '550 5.1.1 gone\r\n';
        else {
          recipients.push(recipient);
          replies += '250 2.1.5 go on\r\n';
        }
      } else if (verb === 'DATA') {
        isData = recipients.length > 0;
        replies += isData ? '354 send\r\n' : '554 5.5.1 no recipients\r\n';
      } else if (verb === 'QUIT') {
        socket.end(`${replies}221 2.0.0 bye\r\n`);
        return;
      } else replies += '250 2.0.0 ok\r\n';
    }
    if (replies !== '') socket.write(replies);
  });
}
