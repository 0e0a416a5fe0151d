/** Addresses as this site wants them: the sender of the envelope and the fields of the header, before the judge sees (and signs) the message. */
import { asBuffer } from '../../mail/header.ts';
import { bodyOf, messageOf } from '../../mail/edited-message.ts';
import type { Address, Log, MessageView, Reply, Router, Ruling } from '../../ports.ts';

export interface Rewritten {
  readonly sender: Address | null;
  /** null: the header stays as it is. */
  readonly message: MessageView | null;
}

export const NOT_REWRITTEN: Reply = { code: 451, enhanced: '4.3.0', text: 'A lookup table does not answer now, try again later' };

/** `isLocalClient`: one whose incomplete addresses are completed (its own network, a login, a program of this machine). 'unavailable' when a table cannot answer. */
export function rewrite(
  router: Router,
  view: MessageView,
  sender: Address | null,
  isLocalClient: boolean,
  log: Log,
): Rewritten | 'unavailable' | Promise<Rewritten | 'unavailable'> {
  const failed = (error: unknown): 'unavailable' => {
    log.error('route.unavailable', { cause: error instanceof Error ? error.message : String(error) });
    return 'unavailable';
  };
  try {
    const newSender = router.sender(sender);
    const header = router.header(view.header, isLocalClient);
    if (!(newSender instanceof Promise) && !(header instanceof Promise))
      return { sender: newSender, message: header === null ? null : withHeader(view, header) };
    return Promise.all([newSender, header]).then(
      ([lateSender, lateHeader]) => ({ sender: lateSender, message: lateHeader === null ? null : withHeader(view, lateHeader) }),
      failed,
    );
  } catch (error) {
    return failed(error);
  }
}

function withHeader(view: MessageView, header: Uint8Array): MessageView {
  const old = view.header.length;
  const bytes = view.bytes === null ? null : asBuffer(view.bytes).subarray(old);
  return messageOf(asBuffer(header), { size: view.size - old, bytes, stream: () => bodyOf(view) });
}

/** The ruling on the rewritten message: what is kept is that message, whatever else the judge changed of it. */
export function ruledWith({ sender, message }: Rewritten, given: Address | null, ruling: Ruling): Ruling {
  if (message === null && sender === given) return ruling;
  return { ...ruling, sender: ruling.sender === undefined ? sender : ruling.sender, message: ruling.message ?? message };
}
