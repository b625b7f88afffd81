import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import type { Page } from 'playwright-core';
import { skip, useChromium } from './fixtures/console.ts';
import { faultsOf } from './fixtures/console-faults.ts';
import {
  bringShell,
  printed,
  prints,
  startShell,
  startTerminalHouse,
  stateIs,
  windowAt,
} from './fixtures/console-terminal.ts';

useChromium();

/** One gateway for all: nobody has terminals left when a test begins. */
const { gateway, line, provider } = skip
  ? ({} as never)
  : await startTerminalHouse({ after: work => void after(work as () => unknown) });

const type = (page: Page, text: string) => page.keyboard.type(text);
/** Once it has taken the window's size. */
const fits = (page: Page, claim: string) =>
  page
    .waitForFunction(
      () => document.documentElement.scrollHeight === document.documentElement.clientHeight,
      undefined,
      { timeout: 30_000 },
    )
    .catch(() => assert.fail(claim));
const focused = (page: Page, selector: string) =>
  page.evaluate(wanted => document.activeElement?.matches(wanted) ?? false, selector);

test('one click on the home page, and a person types into a shell and sees what it prints', {
  skip,
}, async t => {
  const page = await windowAt(t, gateway);
  await startShell(page);
  await type(page, 'echo $((6 * 7))\n');
  await prints(page, /^42$/m);

  // The shell knows the size of the window, and a new one.
  for (const size of [
    { width: 900, height: 700 },
    { width: 1280, height: 800 },
  ]) {
    const shown = page.locator('.terminal-size');
    const before = (await shown.textContent())!;
    await page.setViewportSize(size);
    await shown.filter({ hasNotText: before }).waitFor();
    // A window may take its size in steps.
    for (let turn = 1; ; turn++) {
      assert.ok(turn < 20, 'the shell knows another size');
      await type(page, `stty size; echo asked $((${size.width} + ${turn}))\n`);
      const said = await prints(page, new RegExp(`^asked ${size.width + turn}$`, 'm'));
      const [cols, rows] = (await shown.textContent())!.split(' × ');
      if (new RegExp(`^${rows} ${cols}$`, 'm').test(said)) break;
    }
  }

  // A reload comes back to the same shell, and shows what it has printed.
  await type(page, 'kept=yes\n');
  await page.reload();
  await stateIs(page, 'Connected');
  await prints(page, /^42$/m);
  await type(page, 'echo "$kept"\n');
  await prints(page, /^yes$/m);

  // The focus gets out again, and back in.
  assert.ok(await focused(page, 'textarea'));
  await page.keyboard.press('Tab');
  assert.ok(await focused(page, 'textarea'), 'Tab is the shell’s');
  await page.keyboard.press('Control+Shift+L');
  await page.locator('[role=tab]:focus').waitFor();

  // Ending it is asked about first.
  await page.getByRole('button', { name: 'End', exact: true }).click();
  await page.getByRole('dialog').getByText('every program that runs in it').waitFor();
  await page.getByRole('button', { name: 'End the shell' }).click();
  await page.getByText('No terminal of yours is running.').waitFor();
  assert.deepEqual(await faultsOf(page), []);
});

test('a terminal that a program makes, and ends, comes and goes in the list by itself', { skip }, async t => {
  // Without the look every few seconds: by the event stream alone.
  const prepare = (page: Page) => page.addInitScript('globalThis.setInterval = () => 0;');
  const page = await windowAt(t, gateway, { prepare });
  await page.getByText(/^Live/).waitFor();
  const terminals = `${gateway.url}/terminals/box/api/terminals`;
  const { id } = (await (await page.request.post(terminals)).json()) as { id: string };
  const shown = page.getByRole('link', { name: 'terminal 1' });
  await shown.waitFor();
  await page.request.delete(`${terminals}/${id}`);
  await shown.waitFor({ state: 'detached' });
});

test('a line that is cut while a counter prints: nothing is lost, nothing shown twice, and it is the same shell', {
  skip,
}, async t => {
  const page = await windowAt(t, gateway);
  await startShell(page);
  await type(page, 'for n in $(seq 1 120); do echo "<$n>"; sleep 0.05; done; echo do""ne\n');
  await prints(page, /^<10>$/m);
  line.cut();
  await page.getByText('The connection was lost.').waitFor();
  await line.knocked();
  line.mend();
  await stateIs(page, 'Connected');
  await page.context().setOffline(true);
  await page.locator('.terminal-state').getByText('You are offline').waitFor();
  await page.context().setOffline(false);
  await stateIs(page, 'Connected');
  const text = await prints(page, /^done$/m, 60_000);
  const numbers = [...text.matchAll(/^<(\d+)>$/gm)].map(([, n]) => Number(n));
  assert.deepEqual(
    numbers,
    Array.from({ length: 120 }, (_, n) => n + 1),
  );
});

test('a second window takes the keyboard; the first is told, watches, and takes it back', {
  skip,
}, async t => {
  const first = await windowAt(t, gateway);
  await startShell(first);
  const second = await first.context().newPage();
  await second.goto(first.url());
  await second.getByText('in use in another window').waitFor();
  await second.getByRole('button', { name: 'Take the keyboard' }).click();
  await stateIs(second, 'Connected');
  await first.getByText('Another window has the keyboard; this one watches.').waitFor();
  await type(second, 'echo from the $((1 + 1))nd\n');
  await first.bringToFront();
  await prints(first, /^from the 2nd$/m);
  await type(first, 'echo unheard\n');
  await first.getByRole('button', { name: 'Take back' }).click();
  await stateIs(first, 'Connected');
  await type(first, 'echo from the $((0 + 1))st\n');
  assert.doesNotMatch(await prints(first, /^from the 1st$/m), /unheard/);
  await second.getByText('Another window has the keyboard').first().waitFor();

  const third = await first.context().newPage();
  await third.goto(first.url());
  await third.getByRole('button', { name: 'Only watch' }).click();
  await third.getByText('You are watching.').waitFor();
  await prints(third, /^from the 1st$/m);
  await stateIs(first, 'Connected');
});

test('a paste of 1 MB arrives whole, and output at full speed neither freezes the page nor loses its end', {
  skip,
}, async t => {
  const page = await windowAt(t, gateway);
  await startShell(page);
  const text = 'a line of the paste, é\n'.repeat(42_000);
  const bytes = Buffer.byteLength(text);
  await type(page, `stty -icanon -echo; echo re""ady; head -c ${bytes} | md5sum; stty icanon echo\n`);
  await prints(page, /^ready$/m);
  await page.evaluate(pasted => navigator.clipboard.writeText(pasted), text);
  await page.keyboard.press('Control+Shift+V');
  await prints(page, new RegExp(createHash('md5').update(text).digest('hex')), 60_000);

  const megabytes = Number(process.env['SALLYPORT_TEST_BULK_MB'] ?? 8);
  await page.evaluate(() => {
    const state = globalThis as unknown as { longest: number; total: number };
    const began = performance.now();
    state.longest = 0;
    let last = began;
    const look = () => {
      const now = performance.now();
      state.longest = Math.max(state.longest, now - last);
      state.total = now - began;
      last = now;
      setTimeout(look);
    };
    look();
  });
  await type(page, `yes 0123456789abcdef0123456789abcde | head -c ${megabytes}000000; echo; echo do""ne\n`);
  const all = await prints(page, /^done$/m, 60_000 + megabytes * 5_000);
  assert.doesNotMatch(all, /were not kept/);
  const { longest, total } = await page.evaluate(() => {
    const { longest, total } = globalThis as unknown as { longest: number; total: number };
    return { longest, total };
  });
  assert.ok(
    longest < Math.max(1_500, total / 4),
    `the page stood still for ${Math.round(longest)} of ${Math.round(total)} ms`,
  );
});

test('what a program prints can do no harm: markup, titles, links, and calls for the clipboard', {
  skip,
}, async t => {
  const page = await windowAt(t, gateway);
  await startShell(page);
  await page.evaluate(() => navigator.clipboard.writeText('mine'));
  await type(
    page,
    String.raw`printf '\033]0;<img src=x onerror=alert(1)>\xe2\x80\xae title\007\033]52;c;c3RvbGVu\007\033]52;c;?\007\033[21t\033[14t<b>bold</b>\033]8;;javascript:alert(1)\033\\click\033]8;;\033\\ \033]50;x\007end\n\033]0;<img src=x onerror=alert(1)> at the end\007'` +
      '\n',
  );
  // What came before it has been read by then.
  await page.getByRole('tab').getByText('<img src=x onerror=alert(1)> at the end').waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'mine');
  const text = await printed(page);
  assert.match(text, /^<b>bold<\/b>click end$/m);
  assert.doesNotMatch(
    text.slice(text.lastIndexOf('end')),
    /img src/,
    'the title was not typed back into the shell',
  );
  assert.equal(await page.locator('.terminals img, .terminals b').count(), 0);
  const dialogs: string[] = [];
  page.on('dialog', dialog => {
    dialogs.push(dialog.message());
    void dialog.dismiss();
  });
  const screen = (await page.locator('.xterm-screen').boundingBox())!;
  for (let row = 0; row < 8; row++) await page.mouse.click(screen.x + 130, screen.y + 10 + row * 20);
  assert.deepEqual(dialogs, []);
  assert.equal(page.context().pages().length, 1);
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`the terminal page is whole at every size, with and without WebGL, ${colorScheme}`, {
    skip,
  }, async t => {
    const noWebgl = (page: Page) =>
      page.addInitScript(() => {
        const { getContext } = HTMLCanvasElement.prototype;
        HTMLCanvasElement.prototype.getContext = function (
          this: HTMLCanvasElement,
          kind: string,
          ...rest: unknown[]
        ) {
          return kind.startsWith('webgl') ? null : getContext.call(this, kind as '2d', ...(rest as []));
        } as typeof getContext;
      });
    const page = await windowAt(t, gateway, {
      colorScheme,
      ...(colorScheme === 'dark' ? { prepare: noWebgl } : {}),
    });
    await startShell(page);
    await type(page, `printf '\\033[38;2;200;90;20mtrue\\033[0m \\033[1;31mred\\033[0m\\n'\n`);
    await prints(page, /^true red$/m);
    const assertWhole = async (what: string) => {
      for (const size of [
        { width: 1280, height: 800 },
        { width: 320, height: 640 },
      ]) {
        await page.setViewportSize(size);
        await fits(page, `${what} at ${size.width}: the terminal scrolls, not the page`);
        assert.deepEqual(await faultsOf(page), [], `${what} at ${size.width}`);
      }
    };
    await assertWhole('a terminal');
    await page.keyboard.press('Control+Shift+F');
    await page.getByLabel('Find in this terminal').fill('red');
    await page.locator('.terminal-found').getByText('of').waitFor();
    await assertWhole('with a search');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Settings' }).click();
    await assertWhole('its settings');
    await page.getByLabel('Screen reader').check();
    await page.getByLabel('Theme').selectOption(colorScheme === 'dark' ? 'light' : 'dark');
    await page.getByRole('button', { name: 'Done' }).click();
    await assertWhole('for a screen reader, in the other theme');
    await page.locator('.xterm-accessibility').getByText('true red', { exact: true }).waitFor();
  });
}

test('a phone has the keys that its keyboard lacks', { skip }, async t => {
  const page = await windowAt(t, gateway, {
    viewport: { width: 390, height: 700 },
    hasTouch: true,
    isMobile: true,
  });
  await startShell(page);
  await type(page, 'cat\n');
  await page.getByRole('button', { name: 'Ctrl' }).tap();
  await type(page, 'c');
  await prints(page, /\^C/);
  await type(page, 'echo again\n');
  await prints(page, /^again$/m);
  await page.getByRole('button', { name: 'Up' }).tap();
  await type(page, '\n');
  await prints(page, /^again$[\s\S]*^again$/m);
  assert.ok(await focused(page, 'textarea'), 'the keyboard stays up');
});

test('a recorded terminal says so; its recording plays from any moment, is an admin’s to see too, and goes when it is deleted', {
  skip,
}, async t => {
  const page = await windowAt(t, gateway);
  await startShell(page, 'Production');
  await page.locator('.terminal-state').getByText('Recorded').waitFor();
  await type(page, 'echo fir""st; sleep 1; echo sec""ond; exit\n');
  await stateIs(page, 'Ended');
  await prints(page, /^second$/m);

  // A screen reader's lines are how a test sees what is drawn.
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByLabel('Screen reader').check();
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('link', { name: 'Recordings' }).click();
  await page.getByRole('button', { name: /^Play/ }).click();
  const drawn = page.locator('.player .xterm-accessibility');
  await drawn.getByText('second', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Play', exact: true }).waitFor();
  for (const width of [1280, 320]) {
    await page.setViewportSize({ width, height: 700 });
    assert.deepEqual(await faultsOf(page), [], `the player at ${width}`);
  }
  const download = page.waitForEvent('download');
  await page.getByRole('link', { name: /^Download/ }).click();
  const recording = await readFile(await (await download).path(), 'utf8');
  assert.match(recording, /^{"version":2[\s\S]*second/);

  const [, second] = /^\[([\d.]+), "o", .*second/m.exec(recording)!;
  await page.getByRole('slider', { name: 'Time' }).fill(String(Number(second) - 0.4));
  await drawn.getByText('first', { exact: true }).waitFor();
  await drawn.getByText('second', { exact: true }).waitFor({ state: 'detached' });

  provider.account = 'root';
  const admin = await windowAt(t, gateway);
  provider.account = 'alice';
  await admin.getByRole('link', { name: 'Recordings' }).click();
  await admin.getByText('alice@corp.example').waitFor();
  // What the audit has of it leads to it.
  await admin.goto(`${gateway.url}/admin/audit?action=recording.begin`);
  await admin.getByText('recording.begin').first().click();
  await admin.getByRole('link', { name: /^rec_/ }).first().click();
  await admin.getByRole('slider', { name: 'Time' }).waitFor();
  await page.getByRole('button', { name: /^Delete/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  for (const list of [page, admin]) await list.getByText('Nothing was recorded.').waitFor();
  await admin.getByText('This recording is gone.').waitFor();
});

for (const [where, on] of [
  ['of the gateway’s own machine', 'This machine'],
  ['of a laptop, through its agent’s tunnel', 'shell'],
] as const)
  test(`a shell ${where}: typed into, seen, dropped, and come back to`, { skip }, async t => {
    const page = await windowAt(t, gateway);
    if (on === 'shell') await bringShell(t, page, gateway);
    await startShell(page, on);
    await type(page, 'kept=yes; echo $((6 * 7))\n');
    await prints(page, /^42$/m);
    line.cut();
    await page.getByText('The connection was lost.').waitFor();
    line.mend();
    await stateIs(page, 'Connected');
    await type(page, 'echo "$kept"; exit\n');
    const text = await prints(page, /^yes$/m);
    assert.equal(text.match(/^42$/gm)?.length, 1, 'shown once');
    await stateIs(page, 'Ended');
  });
