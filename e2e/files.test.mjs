// People send pictures and files: pasted, dropped, chosen and spoken; by pointer, by keyboard alone and on a phone.
import assert from 'node:assert/strict';
import { accessible, accessibleEverywhere } from './axe.mjs';
import { becomes, composer, hasFocus, line, shot } from './people.mjs';
import { said, workshop } from './workshop.mjs';

const microphone = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];
const { server, room, call, story } = workshop(said('bob', 30), microphone);

/** A picture of its own: a view of hills, drawn by the page. */
const draw = (page, width, height, hue) =>
  page.evaluate(
    async ([w, h, hue]) => {
      const canvas = new OffscreenCanvas(w, h);
      const c = canvas.getContext('2d');
      const sky = c.createLinearGradient(0, 0, 0, h);
      sky.addColorStop(0, `hsl(${hue} 60% 75%)`);
      sky.addColorStop(1, `hsl(${hue + 40} 80% 90%)`);
      c.fillStyle = sky;
      c.fillRect(0, 0, w, h);
      for (let layer = 0; layer < 4; layer++) {
        c.fillStyle = `hsl(${hue + 20} 30% ${60 - layer * 13}%)`;
        c.beginPath();
        c.moveTo(0, h);
        for (let x = 0; x <= w; x += 8)
          c.lineTo(x, h * (0.45 + layer * 0.14) + Math.sin(x / (w / 9) + layer * 2) * h * 0.06);
        c.lineTo(w, h);
        c.fill();
      }
      const jpeg = await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.9 });
      return [...new Uint8Array(await jpeg.arrayBuffer())];
    },
    [width, height, hue],
  );

/** Gives files to the page as pasting or dropping does. */
const give = (target, how, files) =>
  target.evaluate(
    (node, { how, files }) => {
      const data = new DataTransfer();
      for (const f of files) data.items.add(new File([new Uint8Array(f.bytes)], f.name, { type: f.type }));
      if (how === 'paste')
        node.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
      else
        for (const type of how)
          node.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
    },
    { how, files },
  );

const picture = async (page, name, width, height, hue) => ({
  name,
  type: 'image/jpeg',
  bytes: await draw(page, width, height, hue),
});
const text = (name, size, type = 'text/plain') => ({ name, type, bytes: Array(size).fill(97) });

const tray = (page) => page.getByRole('list', { name: 'Attached files' });
const chip = (page, name) => tray(page).getByRole('listitem').filter({ hasText: name });
const opens = (page, name) => page.getByRole('log').getByRole('button', { name: `Open ${name}`, exact: true });
const rowOf = (page, name) =>
  page.getByRole('article').filter({ has: page.getByRole('button', { name: `Open ${name}`, exact: true }) });
const send = (page) => page.getByRole('button', { name: 'Send', exact: true });
const ready = (page, name) => chip(page, name).getByRole('button', { name: `Remove ${name}` }).waitFor();
const gallery = (page) => page.getByRole('dialog');

story('a pasted screenshot is a message at once, with its place kept', async ({ ann, bob }) => {
  await composer(ann).focus();
  await give(composer(ann), 'paste', [await picture(ann, 'hills.jpg', 1600, 900, 200)]);
  await ready(ann, 'hills.jpg');
  await accessible(ann, 'files-tray');
  await composer(ann).fill('the view from here');
  await ann.keyboard.press('Enter');
  await tray(ann).waitFor({ state: 'detached' });
  const shown = opens(bob, 'hills.jpg').getByRole('img', { name: 'hills.jpg' });
  await shown.waitFor();
  await bob.waitForFunction(() => document.querySelector('article img[alt="hills.jpg"]').naturalWidth > 0);
  const { width, height } = await shown.boundingBox();
  assert.ok(Math.abs(width / height - 16 / 9) < 0.03, `${width} by ${height}`);
  await becomes(() => shown.getAttribute('src'), /\/thumbnail\?/);
  await line(bob, 'the view from here').waitFor();
  await becomes(() => composer(ann).inputValue(), '');
});

story('files that are dropped anywhere are held above the whole room, and go together', async ({ ann, bob }) => {
  const log = ann.getByRole('log');
  const files = [
    await picture(ann, 'north.jpg', 800, 600, 20),
    await picture(ann, 'east.jpg', 600, 800, 90),
    await picture(ann, 'south.jpg', 900, 300, 150),
    await picture(ann, 'west.jpg', 700, 700, 280),
    text('plan of the whole year.txt', 12_345),
  ];
  await give(log, ['dragenter', 'dragover'], files);
  await ann.getByText('Drop files to send them to #Workshop').waitFor();
  await shot(ann, 'files-drop');
  await give(log, ['drop'], files);
  await ann.getByText('Drop files to send them').waitFor({ state: 'detached' });
  for (const f of files) await ready(ann, f.name);
  await send(ann).click();
  await opens(bob, 'west.jpg').waitFor();
  await becomes(() => bob.getByRole('list', { name: '4 pictures' }).getByRole('listitem').count(), 4);
  const download = bob.waitForEvent('download');
  await bob.getByRole('log').getByRole('link', { name: /plan of the whole year/ }).tap();
  assert.equal((await download).suggestedFilename(), 'plan of the whole year.txt');
  await accessibleEverywhere(ann, 'files-room');
  await shot(bob, 'phone-files');
});

story('the gallery is left and walked by keyboard, and gives the focus back', async ({ ann }) => {
  await opens(ann, 'north.jpg').focus();
  await ann.keyboard.press('Enter');
  await gallery(ann).getByRole('heading', { name: 'north.jpg' }).waitFor();
  await ann.waitForFunction(() => document.querySelector('dialog img.loaded'));
  await accessible(ann, 'gallery');
  await ann.keyboard.press('ArrowRight');
  await gallery(ann).getByRole('heading', { name: 'east.jpg' }).waitFor();
  await gallery(ann).getByText('2 of 4').waitFor();
  await ann.keyboard.press('ArrowLeft');
  await ann.keyboard.press('ArrowLeft');
  await gallery(ann).getByRole('heading', { name: 'west.jpg' }).waitFor();
  const scale = () => gallery(ann).locator('.picture').evaluate((p) => new DOMMatrix(getComputedStyle(p).transform).a);
  await ann.keyboard.press('+');
  await becomes(async () => (await scale()) > 1.4, true);
  await ann.keyboard.press('0');
  await becomes(scale, 1);
  const stage = await gallery(ann).locator('.stage').boundingBox();
  await ann.mouse.move(stage.x + stage.width / 2, stage.y + stage.height / 2);
  await ann.mouse.wheel(0, -400);
  await ann.waitForFunction(() => !/scale\(1\)/.test(document.querySelector('dialog .picture').style.transform));
  await ann.keyboard.press('Escape');
  await gallery(ann).waitFor({ state: 'detached' });
  await hasFocus(opens(ann, 'north.jpg'), 'the focus came back');

  await opens(ann, 'north.jpg').click();
  await gallery(ann).waitFor();
  await ann.goBack();
  await gallery(ann).waitFor({ state: 'detached' });
  await composer(ann).waitFor();
});

story('fingers swipe and pinch pictures', async ({ bob }) => {
  await opens(bob, 'north.jpg').tap();
  await gallery(bob).getByRole('heading', { name: 'north.jpg' }).waitFor();
  await bob.waitForFunction(() => document.querySelector('dialog img.loaded'));
  await shot(bob, 'phone-gallery');
  const finger = await bob.context().newCDPSession(bob);
  const touch = (type, ...touchPoints) =>
    finger.send('Input.dispatchTouchEvent', { type, touchPoints: touchPoints.map(([x, y, id]) => ({ x, y, id })) });
  await touch('touchStart', [300, 400, 1]);
  for (const x of [250, 200, 150]) await touch('touchMove', [x, 400, 1]);
  await touch('touchEnd');
  await gallery(bob).getByRole('heading', { name: 'east.jpg' }).waitFor();
  await bob.waitForFunction(() => document.querySelector('dialog img.loaded'));
  await touch('touchStart', [170, 400, 1], [220, 400, 2]);
  for (const by of [20, 40, 60]) await touch('touchMove', [170 - by, 400, 1], [220 + by, 400, 2]);
  await touch('touchEnd');
  const zoomed = () =>
    gallery(bob)
      .locator('.picture')
      .evaluate((p) => new DOMMatrix(getComputedStyle(p).transform).a);
  await becomes(async () => (await zoomed()) > 2, true, 'two fingers make it more than twice as large');
  await bob.getByRole('button', { name: 'Close' }).tap();
  await gallery(bob).waitFor({ state: 'detached' });
});

const inOneRequest = /\/rooms\/[^/]+\/files\?.*key=/;

story('a message waits for its files, and a file that fails keeps nothing else', async ({ ann, bob }) => {
  let go;
  const held = new Promise((done) => (go = done));
  await ann.route(inOneRequest, async (route) => {
    await held;
    await route.continue();
  });
  await give(composer(ann), 'paste', [text('slow.txt', 40_000)]);
  await chip(ann, 'slow.txt').getByRole('progressbar').waitFor();
  await composer(ann).fill('with the list');
  await ann.keyboard.press('Enter');
  await ann.getByText(/will be sent when the upload is done/).waitFor();
  await accessibleEverywhere(ann, 'files-held');
  await becomes(() => ann.getByRole('log').getByText('with the list').count(), 0);
  go();
  await line(bob, 'with the list').waitFor();
  await bob.getByRole('link', { name: /slow\.txt/ }).waitFor();
  await ann.unroute(inOneRequest);

  await ann.route(inOneRequest, (route) =>
    route.request().url().includes('name=bad.txt')
      ? route.fulfill({ status: 413, json: { kind: 'too_large', detail: 'a file may have 1 kB' } })
      : route.continue(),
  );
  await give(composer(ann), 'paste', [text('bad.txt', 10), text('good.txt', 10)]);
  await chip(ann, 'bad.txt').getByText('Upload failed').waitFor();
  await ready(ann, 'good.txt');
  await accessibleEverywhere(ann, 'files-failed');
  await send(ann).click();
  await bob.getByRole('link', { name: /good\.txt/ }).waitFor();
  await ann.unroute(inOneRequest);
  await chip(ann, 'bad.txt').getByRole('button', { name: 'Retry upload of bad.txt' }).click();
  await ready(ann, 'bad.txt');
  await chip(ann, 'bad.txt').getByRole('button', { name: 'Remove bad.txt' }).click();
  await tray(ann).waitFor({ state: 'detached' });
  await hasFocus(composer(ann), 'the focus is lost');
});

story('an upload that a reload cut off goes on where it was', async ({ ann, bob }) => {
  const buffer = Buffer.alloc(17 << 20, 'unhidra');
  const large = { name: 'recording.bin', mimeType: 'application/octet-stream', buffer };
  const parts = [];
  ann.on('request', (r) => r.method() === 'PUT' && parts.push(r.url().split('/').at(-1)));
  await ann.route('**/parts/2', (route) => route.abort());
  const choose = async (open) => {
    const chooser = ann.waitForEvent('filechooser');
    await open();
    await (await chooser).setFiles(large);
  };
  const taken = (n) => ann.waitForResponse((r) => r.url().endsWith(`/parts/${n}`) && r.status() === 204);
  const both = Promise.all([taken(0), taken(1)]);
  await choose(async () => {
    await ann.getByRole('button', { name: 'Add files' }).click();
    await ann.getByRole('menuitem', { name: 'Upload files' }).click();
  });
  await both;
  await ann.reload();
  await ann.unroute('**/parts/2');
  await chip(ann, 'recording.bin').getByText('Interrupted').waitFor();
  await shot(ann, 'files-again');
  parts.length = 0;
  await choose(() => ann.getByRole('button', { name: /Choose recording\.bin again/ }).click());
  await chip(ann, 'recording.bin').getByText('Interrupted').waitFor({ state: 'detached' });
  await ready(ann, 'recording.bin');
  assert.deepEqual(parts, ['2']);
  await send(ann).click();
  await bob.getByRole('link', { name: /recording\.bin/ }).waitFor();
});

story('the place of a picture is kept until it comes, and a film plays where it stands', async ({ ann, bob }) => {
  let go;
  const held = new Promise((done) => (go = done));
  await bob.route('**/files/*/*\\?*', async (route) => {
    await held;
    await route.continue();
  });
  const film = await ann.evaluate(async () => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [320, 180];
    const c = canvas.getContext('2d');
    const recorder = new MediaRecorder(canvas.captureStream(10), { mimeType: 'video/webm;codecs=vp8' });
    const parts = [];
    recorder.ondataavailable = (e) => parts.push(e.data);
    const over = new Promise((done) => (recorder.onstop = done));
    recorder.start();
    for (let i = 0; i < 10; i++) {
      c.fillStyle = `hsl(${i * 36} 70% 50%)`;
      c.fillRect(0, 0, 320, 180);
      await new Promise((done) => setTimeout(done, 100));
    }
    recorder.stop();
    await over;
    return [...new Uint8Array(await new Blob(parts).arrayBuffer())];
  });
  const files = [
    await picture(ann, 'late.jpg', 1200, 500, 60),
    { name: 'clip.webm', type: 'video/webm', bytes: film },
  ];
  await give(composer(ann), 'paste', files);
  await ready(ann, 'late.jpg');
  await ready(ann, 'clip.webm');
  await send(ann).click();
  await opens(bob, 'late.jpg').waitFor();
  const high = () => rowOf(bob, 'late.jpg').evaluate((row) => row.getBoundingClientRect().height);
  const before = await high();
  go();
  await bob.waitForFunction(() => document.querySelector('article img[alt="late.jpg"]')?.naturalWidth > 0);
  await bob.waitForFunction(() => document.querySelector('article video')?.readyState >= 1);
  assert.equal(await high(), before);
  const late = await opens(bob, 'late.jpg').boundingBox();
  assert.ok(Math.abs(late.width / late.height - 12 / 5) < 0.05, `${late.width} by ${late.height}`);
  const { width, height } = await bob.locator('article video').boundingBox();
  assert.ok(Math.abs(width / height - 16 / 9) < 0.05, `${width} by ${height}`);
  await bob.unroute('**/files/*/*\\?*');
});

story('what is too large is said, with the limit', async ({ ann }) => {
  const files = /\/api\/v1\/(rooms\/[^/]+\/)?files(\?.*)?$/;
  const limits = { items: [], used: 0, quota: 5e9, max_size: 1000 };
  await ann.route(files, (route) =>
    route.request().method() === 'POST'
      ? route.fulfill({ status: 413, json: { kind: 'too_large', code: 'file_too_large', detail: 'over 1000 bytes' } })
      : route.fulfill({ json: limits }),
  );
  const sent = [];
  ann.on('request', (r) => r.method() === 'PUT' && sent.push(r.url()));
  await give(composer(ann), 'paste', [text('large.txt', 2_000)]);
  await ann.getByText('Files can have up to 1 kB; this one has 2 kB.').waitFor();
  limits.max_size = 1e8;
  limits.used = 5e9;
  await chip(ann, 'large.txt').getByRole('button', { name: 'Remove large.txt' }).click();
  await give(composer(ann), 'paste', [text('large.txt', 2_000)]);
  await ann.getByText('Your files take 5 GB of your 5 GB; this one has 2 kB.').waitFor();
  assert.deepEqual(sent, []);
  await ann.unroute(files);
  await ann.getByRole('button', { name: 'Show my largest files' }).click();
  const own = ann.getByRole('dialog', { name: 'My files' });
  await becomes(() => own.getByRole('listitem').first().innerText(), /recording\.bin/);
  await accessibleEverywhere(ann, 'files-own');
  await ann.keyboard.press('Escape');
  await chip(ann, 'large.txt').getByRole('button', { name: 'Remove large.txt' }).click();
});

story('a voice message is recorded with a meter, and played', async ({ ann, bob }) => {
  await ann.getByRole('button', { name: 'Add files' }).click();
  await ann.getByRole('menuitem', { name: 'Record a voice message' }).click();
  const recorder = ann.getByRole('group', { name: 'Voice message' });
  await recorder.getByText(/^0:(0[2-9]|[1-5]\d)$/).waitFor();
  await shot(ann, 'files-voice');
  await recorder.getByRole('button', { name: 'Done' }).click();
  await chip(ann, /Voice message/).getByRole('button', { name: /Remove/ }).waitFor();
  await send(ann).click();
  const sound = bob.locator('article audio').last();
  await sound.waitFor();
  await bob.waitForFunction(() => [...document.querySelectorAll('article audio')].at(-1)?.readyState >= 1);
  await accessible(bob, 'phone-voice');
});

story('by keyboard alone one adds a file, and opens a picture of a message', async ({ ann }) => {
  await composer(ann).focus();
  await ann.keyboard.press('Shift+Tab');
  const chooser = ann.waitForEvent('filechooser');
  await ann.keyboard.press('Enter');
  await ann.getByRole('menuitem', { name: 'Upload files' }).waitFor();
  await ann.keyboard.press('Enter');
  const buffer = Buffer.from((await picture(ann, '', 500, 400, 310)).bytes);
  await (await chooser).setFiles([
    { name: 'note.txt', mimeType: 'text/plain', buffer: Buffer.from('note') },
    { name: 'dusk.jpg', mimeType: 'image/jpeg', buffer },
  ]);
  await ready(ann, 'note.txt');
  await ready(ann, 'dusk.jpg');
  await composer(ann).focus();
  await ann.keyboard.press('Enter');
  await opens(ann, 'dusk.jpg').waitFor();
  await ann.getByRole('log').getByText('Sending').first().waitFor({ state: 'detached' });
  await rowOf(ann, 'dusk.jpg').focus();
  const there = () => opens(ann, 'dusk.jpg').evaluate((b) => b === document.activeElement);
  for (let i = 0; i < 8 && !(await there()); i++) await ann.keyboard.press('Tab');
  await ann.keyboard.press('Enter');
  await gallery(ann).getByRole('heading', { name: 'dusk.jpg' }).waitFor();
  await ann.keyboard.press('Escape');
  await gallery(ann).waitFor({ state: 'detached' });
});

story('the files of a room are listed, found by name, and shown where they were sent', async ({ ann, bob }) => {
  await ann.getByRole('button', { name: 'Files', exact: true }).click();
  const panel = ann.getByRole('complementary', { name: 'Files' });
  const items = panel.getByRole('list', { name: 'Files' }).getByRole('listitem');
  await items.filter({ hasText: 'note.txt' }).waitFor();
  await accessibleEverywhere(ann, 'files-panel');
  await panel.getByText('Pictures', { exact: true }).click();
  await items.filter({ hasText: 'note.txt' }).waitFor({ state: 'detached' });
  await becomes(() => items.count(), 7);
  await panel.getByRole('searchbox').fill('north');
  await items.filter({ hasText: 'east.jpg' }).waitFor({ state: 'detached' });
  await items.filter({ hasText: 'north.jpg' }).waitFor();
  await panel.getByRole('link', { name: 'Show north.jpg in room' }).click();
  await ann.waitForFunction(() => document.activeElement?.matches('article'));
  await panel.getByRole('searchbox').fill('nothing is called so');
  await panel.getByText('No files found').waitFor();
  await shot(ann, 'files-none');

  await bob.getByRole('button', { name: 'Room details' }).tap();
  await bob.getByRole('link', { name: 'Files' }).tap();
  await bob.getByRole('complementary', { name: 'Files' }).getByText('note.txt').waitFor();
  await shot(bob, 'phone-files-panel');
  await bob.goBack();
  await bob.goBack();
});

story('a message that is deleted takes its pictures along', async ({ ann, bob }) => {
  await ann.keyboard.press('Escape');
  const list = (q) => call('bob', 'GET', `/rooms/${room.id}/files?q=${q}`);
  const [{ file }] = (await list('north')).items;
  const { links } = await call('bob', 'POST', '/files/links', { files: [file.id] });
  assert.equal((await fetch(server.url + links[file.id].content)).status, 200);
  await rowOf(ann, 'north.jpg').focus();
  await ann.keyboard.press('Delete');
  await ann.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await opens(ann, 'north.jpg').waitFor({ state: 'detached' });
  assert.deepEqual((await list('north')).items, []);
  assert.equal((await fetch(server.url + links[file.id].content)).status, 404);
  assert.equal(ann.broken, undefined);
  assert.equal(bob.broken, undefined);
});
