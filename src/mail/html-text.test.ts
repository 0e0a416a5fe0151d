import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeEntities } from './html-entities.ts';
import { htmlText } from './html-text.ts';

const ROWS: readonly (readonly [html: string, text: string])[] = [
  ['', ''],
  ['plain', 'plain'],
  ['<p>one</p><p>two</p>', ' one two '],
  ['wo<b>rd</b>s', 'words'],
  ['<SPAN style="a>b">wo</SPAN>rd', 'word'],
  ["<a href='x>y'>link</a>ed", 'linked'],
  ['a<br/>b<BR>c', 'a b c'],
  ['one\r\n   two', 'one two'],
  ['a<!-- <b>unseen</b> -->b', 'ab'],
  ['a<!DOCTYPE html>b<?xml x?>c', 'abc'],
  ['<style>p { color: red }</style>x<script>if (a<b) "</p>"</script>y', ' x y'],
  ['<script>never ends', ' '],
  ['<!-- never ends', ''],
  ['a <b', 'a '],
  ['1 < 2 > 0', '1 < 2 > 0'],
  ['<3 you', '<3 you'],
  ['Gr&uuml;&szlig;e &amp; K&#252;sse &#xFC; &#x1F600;', 'Grüße & Küsse ü 😀'],
  ['&nbsp;&euro;5&hellip;', '\u00a0€5…'],
  ['&unknown; &#0; &#xD800; &#99999999; & &;', '&unknown; \ufffd \ufffd \ufffd & &;'],
  ['&amp;lt;', '&lt;'],
  ['&Alpha;&alpha;&omega;&sigmaf;&sigma;&Omega;', 'Ααωςσ\u03a9'],
  ['&copy no semicolon', '© no semicolon'],
  ['<td>a</td><td>b</td>', ' a b '],
  ['<p title="it\'s">x', ' x'],
  ["<p title=it's>x", ' x'],
  ['</>x', '</>x'],
];
for (const [html, text] of ROWS) test(`what is seen of ${JSON.stringify(html)}`, () => assert.equal(htmlText(html), text));

test('hostile HTML takes linear time', () => {
  const many = 300_000;
  assert.equal(htmlText('<'.repeat(many)).length, many);
  assert.equal(htmlText('<!--'.repeat(many)), '');
  assert.equal(htmlText('<a "'.repeat(many)), '');
  assert.equal(htmlText('<script>'.repeat(many)), ' ');
  assert.equal(htmlText('&#'.repeat(many)).length, many * 2);
});

test('references that are no characters stay', () => {
  assert.equal(decodeEntities('a & b &nbs &12; &#x;'), 'a & b &nbs &12; &#x;');
});
