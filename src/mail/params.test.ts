import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { encodeExtended, findParam, parseParameterized } from './params.ts';

describe('a value with parameters', () => {
  const rows: [text: string, value: string, ...params: [string, string][]][] = [
    ['', ''],
    [';', ''],
    ['text/plain', 'text/plain'],
    ['Text / Plain ; Charset = UTF-8', 'text/plain', ['charset', 'UTF-8']],
    ['text/plain; charset="a;b\\"c"', 'text/plain', ['charset', 'a;b"c']],
    ['text/plain (x;y=z); a=b (c)', 'text/plain', ['a', 'b']],
    ['text/plain; a="unfinished; b=c', 'text/plain', ['a', 'unfinished; b=c']],
    ['text/plain; a; b=c;;d=e', 'text/plain', ['b', 'c'], ['d', 'e']],
    ['attachment; filename=my file (1).pdf', 'attachment', ['filename', 'my file']],
    ['attachment; filename=my file.pdf', 'attachment', ['filename', 'my file.pdf']],
    ['attachment; filename=a(1).pdf', 'attachment', ['filename', 'a(1).pdf']],
    ['filename=x.txt', '', ['filename', 'x.txt']],
    ['filename="a b"; size=1', '', ['filename', 'a b'], ['size', '1']],
    ['text/plain charset=utf-8', 'text/plain', ['charset', 'utf-8']],
    ['text/plain; charset=utf-8 format=flowed', 'text/plain', ['charset', 'utf-8'], ['format', 'flowed']],
    ['a; f="\xc3\xa9"', 'a', ['f', 'é']],
    ["a; f*=utf-8''%C3%A9%20x", 'a', ['f*', 'é x']],
    ["a; f*=iso-8859-1'en'%E9", 'a', ['f*', 'é']],
    ['a; f*0="one "; f*1=two', 'a', ['f', 'one two']],
    ["a; f*1*=%A9; f*0*=utf-8''%C3; f*2=.txt", 'a', ['f*', 'é.txt']],
    ['a; f*0=one; f*2=three', 'a', ['f', 'one']],
    ['a; f*x=1; f**=2', 'a'],
    ["a; f=plain; f*=utf-8''%C3%A9", 'a', ['f', 'plain'], ['f*', 'é']],
    ['a; f*=%ZZ%C3%A9', 'a', ['f*', '%ZZé']],
  ];
  for (const [text, value, ...params] of rows) test(JSON.stringify(text), () => assert.deepEqual(parseParameterized(text), { value, params }));

  test('the extended form of a parameter wins', () => {
    assert.equal(findParam(parseParameterized("a; f=plain; f*=utf-8''%C3%A9").params, 'f'), 'é');
    assert.equal(findParam([], 'f'), null);
  });

  test('values are written so that they read back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), (value) => {
        const [param] = parseParameterized(`a; f*=${encodeExtended(value)}`).params;
        return param![1] === value.toWellFormed();
      }),
      { seed: 61, numRuns: 500 },
    );
  });

  test('any text parses, a megabyte in linear time', () => {
    const unit = fc.constantFrom('a', '=', ';', '"', '\\', '(', ')', '*', '0', "'", '%', ' ', '\xe9');
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 50 }), (text) => parseParameterized(text).params.length >= 0),
      { seed: 62, numRuns: 2000 },
    );
    for (const pattern of [';a=b', ';', '(', 'a=', ';a*0=b', ';a="', ' a', '\\', "';a*=%"])
      parseParameterized(`x;${pattern.repeat(1_000_000 / pattern.length)}`);
  });
});
