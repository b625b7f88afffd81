import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelForm } from './model-form.ts';

const TYPE = 'multipart/form-data; boundary=xYz';

/** A form of these parts, each its head's lines and its content. */
function form(...parts: [head: string, content: string][]): Buffer {
  const written = parts.map(([head, content]) => `--xYz\r\n${head}\r\n\r\n${content}\r\n`);
  return Buffer.from(`${written.join('')}--xYz--\r\n`);
}

/** What is found when the form comes in these pieces. */
function modelIn(type: string, ...pieces: Buffer[]): string | null {
  const reader = new ModelForm(type);
  for (const piece of pieces) reader.push(piece);
  return reader.model;
}

const FILE: [string, string] = [
  'Content-Disposition: form-data; name="file"; filename="model"\r\nContent-Type: audio/wav',
  'RIFF name="model"\r\n\r\n--xY',
];
const MODEL: [string, string] = ['Content-Disposition: form-data; name="model"', 'whisper-1'];

test('the model part is found before or after the file, quoted or not', () => {
  for (const head of [
    'Content-Disposition: form-data; name="model"',
    'content-disposition: form-data; name=model',
    'Content-Type: text/plain\r\nCONTENT-DISPOSITION:form-data;name="model" ; x=y',
    'Content-Disposition: form-data; filename="a; name=b"; name="mod\\el"',
  ]) {
    assert.equal(modelIn(TYPE, form([head, 'whisper-1'], FILE)), 'whisper-1', head);
    assert.equal(modelIn(`${TYPE}; charset=utf-8`, form(FILE, [head, 'größe'])), 'größe', head);
  }
  assert.equal(modelIn('multipart/form-data; boundary="xYz"', form(FILE, FILE)), null);
  assert.equal(modelIn(TYPE, Buffer.from('preamble\r\n'), form(FILE, MODEL)), 'whisper-1');
});

test('where the form is split makes no difference', () => {
  const bytes = form(FILE, MODEL, ['Content-Disposition: form-data; name="empty"', ''], FILE);
  for (let at = 1; at < bytes.length; at++)
    assert.equal(modelIn(TYPE, bytes.subarray(0, at), bytes.subarray(at)), 'whisper-1', String(at));
  assert.equal(modelIn(TYPE, ...Array.from(bytes, byte => Buffer.of(byte))), 'whisper-1');
});

test('a part that only looks like the model is not the model', () => {
  for (const head of [
    'Content-Disposition: form-data; name="models"',
    'Content-Disposition: form-data; name="file"; filename="; name=model"',
    'Content-Disposition: form-data; filename="model"',
    'X: form-data; name="model"',
  ])
    assert.equal(modelIn(TYPE, form([head, 'x'])), null, head);
});

test('a model part that is not all here is none yet', () => {
  const whole = form(FILE, MODEL);
  const end = whole.lastIndexOf('\r\n--xYz') + '\r\n--xYz'.length;
  for (let length = 0; length < end; length++)
    assert.equal(modelIn(TYPE, whole.subarray(0, length)), null, String(length));
  assert.equal(modelIn(TYPE, whole.subarray(0, end)), 'whisper-1');
});

test('a model part without content, or without the line for it, is empty and hides no second one', () => {
  const [head] = MODEL;
  assert.equal(modelIn(TYPE, form([head, ''])), '');
  assert.equal(modelIn(TYPE, Buffer.from(`--xYz\r\n${head}\r\n\r\n--xYz--\r\n`)), '');
  const second = form(MODEL);
  for (const first of [`--xYz\r\n${head}\r\n\r\n`, `--xYz\r\n${head}\r\n\r\n\r\n`, '--xYz\r\n--xYz\r\n\r\n'])
    if (first.includes('model'))
      assert.throws(() => modelIn(TYPE, Buffer.from(first), second), { code: 'bad_request' });
    else assert.equal(modelIn(TYPE, Buffer.from(first), second), 'whisper-1');
});

test('two model parts are refused, however far apart', () => {
  assert.throws(() => modelIn(TYPE, form(MODEL, FILE, MODEL)), { code: 'bad_request', message: /twice/ });
  const big: [string, string] = [FILE[0], 'x'.repeat(3_000_000)];
  assert.throws(() => modelIn(TYPE, form(MODEL, big, MODEL)), { code: 'bad_request', message: /twice/ });
});

test('no boundary, a name or a head without end, are refused', () => {
  const refused = { code: 'bad_request' };
  assert.throws(() => modelIn('multipart/form-data', form(MODEL)), refused);
  assert.throws(() => modelIn(TYPE, form([MODEL[0], 'x'.repeat(2_000)])), refused);
  assert.throws(
    () => modelIn(TYPE, Buffer.from(`--xYz\r\n${MODEL[0]}\r\n\r\n${'x'.repeat(2_000)}`)),
    refused,
  );
  assert.throws(() => modelIn(TYPE, Buffer.from(`--xYz\r\nX: ${'x'.repeat(20_000)}`)), refused);
});

test('a file of 64 MB passes in pieces without being kept', () => {
  const reader = new ModelForm(TYPE);
  reader.push(Buffer.from(`--xYz\r\n${FILE[0]}\r\n\r\n`));
  const chunk = Buffer.alloc(64 * 1024, '\r\n--xY');
  const start = performance.now();
  for (let n = 0; n < 1_024; n++) reader.push(chunk);
  assert.ok(performance.now() - start < 2_000);
  reader.push(Buffer.from('\r\n'));
  reader.push(form(MODEL));
  assert.equal(reader.model, 'whisper-1');
});
