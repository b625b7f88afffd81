import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modelInForm } from './model-form.ts';

const TYPE = 'multipart/form-data; boundary=xYz';

/** A form of these parts, each its head's lines and its content. */
function form(...parts: [head: string, content: string][]): Buffer {
  const written = parts.map(([head, content]) => `--xYz\r\n${head}\r\n\r\n${content}\r\n`);
  return Buffer.from(`${written.join('')}--xYz--\r\n`);
}

const FILE: [string, string] = [
  'Content-Disposition: form-data; name="file"; filename="model"\r\nContent-Type: audio/wav',
  'RIFF name="model"\r\n\r\n--xY',
];

test('the model part is found before or after the file, quoted or not', () => {
  for (const head of [
    'Content-Disposition: form-data; name="model"',
    'content-disposition: form-data; name=model',
    'Content-Type: text/plain\r\nCONTENT-DISPOSITION:form-data;name="model" ; x=y',
    'Content-Disposition: form-data; filename="a; name=b"; name="mod\\el"',
  ]) {
    assert.equal(modelInForm(form([head, 'whisper-1'], FILE), TYPE), 'whisper-1', head);
    assert.equal(modelInForm(form(FILE, [head, 'größe']), `${TYPE}; charset=utf-8`), 'größe', head);
  }
  assert.equal(modelInForm(form(FILE, FILE), 'multipart/form-data; boundary="xYz"'), null);
});

test('a part that only looks like the model is not the model', () => {
  for (const head of [
    'Content-Disposition: form-data; name="models"',
    'Content-Disposition: form-data; name="file"; filename="; name=model"',
    'Content-Disposition: form-data; filename="model"',
    'X: form-data; name="model"',
  ])
    assert.equal(modelInForm(form([head, 'x']), TYPE), null, head);
});

test('a model part that is not all here is none yet', () => {
  const whole = form(FILE, ['Content-Disposition: form-data; name="model"', 'whisper-1']);
  const end = whole.lastIndexOf('\r\n--xYz');
  for (let length = 0; length < end + 7; length++)
    assert.equal(modelInForm(whole.subarray(0, length), TYPE), null, String(length));
  assert.equal(modelInForm(whole.subarray(0, end + 7), TYPE), 'whisper-1');
});

test('two model parts, or no boundary, are refused', () => {
  const model: [string, string] = ['Content-Disposition: form-data; name="model"', 'a'];
  assert.throws(() => modelInForm(form(model, FILE, model), TYPE), { code: 'bad_request' });
  assert.throws(() => modelInForm(form(model), 'multipart/form-data'), { code: 'bad_request' });
});
