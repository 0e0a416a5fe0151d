/**
 * A window of Thunderbird as its user has it: look for something by what it is and says, click it, drag it.
 * Looking goes through nested documents and shadow trees; a click is a press of the mouse at the middle of what was found.
 */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { need, succeed } from '../harness/run.ts';
import { eventually } from '../harness/wait.ts';
import { SCREEN, type Thunderbird } from './thunderbird.ts';
import type { Marionette } from './thunderbird-marionette.ts';

/** Where something stands in the window, in CSS pixels, and what it says. */
export interface Sight {
  readonly x: number;
  readonly y: number;
  readonly text: string;
}

/** Runs in Thunderbird: every element with the offset of its document in the window. */
const WALK = `
function* elements(root, left, top) {
  const walker = (root.ownerDocument ?? root).createTreeWalker(root, NodeFilter.SHOW_ELEMENT);
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    yield [node, left, top];
    if (node.openOrClosedShadowRoot) yield* elements(node.openOrClosedShadowRoot, left, top);
    if (node.localName !== 'browser' && node.localName !== 'iframe' && node.localName !== 'editor') continue;
    const inner = node.contentDocument;
    if (!inner) continue;
    const box = node.getBoundingClientRect();
    if (box.width > 0) yield* elements(inner, left + box.x, top + box.y);
  }
}
`;
/** `args`: a CSS selector, a text that it must contain. */
const LOOK = `${WALK}
const [selector, wanted] = args;
const says = node => [node.textContent, node.label, node.value].filter(text => typeof text === 'string').join(' ').trim();
const found = [];
for (const [node, left, top] of elements(document, 0, 0)) {
  if (!node.matches(selector)) continue;
  const box = node.getBoundingClientRect();
  if (box.width <= 0 || box.height <= 0 || !node.checkVisibility({ visibilityProperty: true })) continue;
  const text = says(node);
  if (wanted !== '' && !text.includes(wanted)) continue;
  found.push({ x: left + box.x + box.width / 2, y: top + box.y + box.height / 2, text: text.slice(0, 2000), isDisabled: node.disabled === true });
}
return found;
`;
/** `args`: a CSS selector of an item of a menu that opens now. A menu is a window of its own: its places are not those of the page. */
const CHOOSE = `${WALK}
for (const [node] of elements(document, 0, 0)) {
  if (!node.matches(args[0])) continue;
  const menu = node.closest('menupopup');
  if (menu?.state !== 'open' || node.disabled) continue;
  // Afterwards: a dialog that opens would hold up the answer until it is closed.
  setTimeout(() => menu.activateItem(node));
  return true;
}
return false;
`;
/** How long Thunderbird may take to show something. */
const SHOW_MS = 30_000;
/** Steps of a drag: enough moves for the desktop to see a drag and not a click. */
const DRAG_STEPS = 8;

export class ThunderbirdWindow {
  readonly thunderbird: Thunderbird;
  #pictures = 0;
  constructor(thunderbird: Thunderbird) {
    this.thunderbird = thunderbird;
  }
  get #marionette(): Marionette {
    return this.thunderbird.marionette;
  }

  /** What can be seen now; `text` must be part of what it says. Things that are greyed out are not among them. */
  async look(selector: string, text = ''): Promise<readonly Sight[]> {
    const found = (await this.#marionette.script(LOOK, selector, text)) as (Sight & { isDisabled: boolean })[];
    return found.filter(({ isDisabled }) => !isDisabled);
  }
  async sees(selector: string, text = ''): Promise<boolean> {
    return (await this.look(selector, text)).length > 0;
  }
  /** Waits until it is there; answers the first. */
  see(selector: string, text = ''): Promise<Sight> {
    return eventually(`Thunderbird shows ${selector} "${text}"`, async () => (await this.look(selector, text))[0], SHOW_MS);
  }
  async seeNoMore(selector: string, text = ''): Promise<void> {
    await eventually(`Thunderbird shows ${selector} "${text}" no more`, async () => !(await this.sees(selector, text)), SHOW_MS);
  }

  async click(selector: string, text = ''): Promise<void> {
    const { x, y } = await this.see(selector, text);
    await this.#marionette.pointer(x, y);
  }
  /** Opens the menu of the right button there and takes an item of it. */
  async choose(selector: string, text: string, item: string): Promise<void> {
    const { x, y } = await this.see(selector, text);
    await this.#marionette.pointer(x, y, 2);
    await eventually(`the menu with ${item} is open`, () => this.#marionette.script(CHOOSE, item), SHOW_MS);
  }
  /** Clicks into a field and types over what stands there. */
  async fill(selector: string, text: string): Promise<void> {
    await this.click(selector);
    await this.#marionette.script(
      `let field = document.activeElement; while (field.openOrClosedShadowRoot?.activeElement) field = field.openOrClosedShadowRoot.activeElement; field.select?.();`,
    );
    await this.#marionette.type(text);
  }

  /** With the real pointer of the screen, until the target lights up (`lit`), then lets go. */
  async drag(from: readonly [selector: string, text: string], to: readonly [selector: string, text: string], lit: string): Promise<void> {
    need('xdotool');
    const [start, end] = [await this.see(...from), await this.see(...to)];
    const [left, top] = (await this.#marionette.script('return [window.mozInnerScreenX, window.mozInnerScreenY];')) as [number, number];
    const pointer = (...words: readonly (string | number)[]): Promise<string> =>
      succeed('xdotool', words.map(String), { env: { DISPLAY: this.thunderbird.display, HOME: this.thunderbird.dir } });
    const move = (share: number, shake = 0): Promise<string> =>
      pointer('mousemove', Math.round(left + start.x + (end.x - start.x) * share) + shake, Math.round(top + start.y + (end.y - start.y) * share));
    await move(0);
    await pointer('mousedown', 1);
    for (let step = 1; step <= DRAG_STEPS; step += 1) await move(step / DRAG_STEPS);
    let shake = 0;
    await eventually(`the target of the drag lights up (${lit})`, async () => {
      shake = 3 - shake;
      await move(1, shake);
      return this.sees(lit);
    });
    await pointer('mouseup', 1);
    // Out of the way: no menu opens under a pointer that is somewhere else than the click.
    await pointer('mousemove', SCREEN.width - 1, SCREEN.height - 1);
  }

  /** Turns to the window whose address ends so, once it is there. */
  async turnTo(address: string): Promise<void> {
    await eventually(`Thunderbird opens ${address}`, async () => {
      for (const handle of await this.#marionette.windows()) {
        await this.#marionette.switchTo(handle);
        if (String(await this.#marionette.script('return location.href;')).endsWith(address)) return true;
      }
      return false;
    });
  }
  /** Back to the main window, when it is the only one. */
  async backToMain(): Promise<void> {
    await eventually('only the main window of Thunderbird is open', async () => (await this.#marionette.windows()).length === 1);
    await this.turnTo('messenger.xhtml');
  }

  /** Keeps a picture of each window beside the tests' temporary directories; answers the files. */
  async pictures(name: string): Promise<readonly string[]> {
    const files: string[] = [];
    for (const handle of await this.#marionette.windows()) {
      await this.#marionette.switchTo(handle);
      const file = join(tmpdir(), `posthorn-${name}-${process.pid}-${++this.#pictures}.png`);
      writeFileSync(file, await this.#marionette.screenshot());
      files.push(file);
    }
    return files;
  }
}
