import { reasonOf } from '../failure';
import type { IconName } from '../kit/Icon.svelte';
import { may } from '../permit';
import type { App } from '../port';
import { faceOf, nameOf } from '../roomname';
import { adminPages, router, settingsPages, type Panel } from '../route.svelte';
import { signOut } from '../signout';
import { allRead, hasNews } from '../shell/sections';
import { talk } from '../talk';
import { t, withTexts } from '../text';
import type { RoomState, User } from '../types';
import { overlay } from '../ui.svelte';
import type { Target } from './Switcher.svelte';

/** A person one can write to. */
export function personTarget(app: App, u: User): Target {
  return {
    id: u.id,
    group: 'people',
    label: u.display_name,
    also: u.username,
    note: `@${u.username}`,
    face: { id: u.id, name: u.display_name, src: u.avatar, presence: app.people.presence(u.id)?.is },
    run: () => talk(app, u),
  };
}

function roomTarget(app: App, r: RoomState, run: () => void): Target {
  const peer = r.kind === 'direct' && r.peers?.length === 1 ? r.peers[0] : undefined;
  return {
    id: peer?.id ?? r.id,
    group: 'rooms',
    label: nameOf(r),
    also: peer?.username ?? r.topic ?? '',
    note: peer ? `@${peer.username}` : r.topic,
    face: faceOf(r, app),
    unread: r.unread,
    mentions: r.mentions,
    run,
  };
}

function actions(app: App): Target[] {
  const one = (id: string, icon: IconName, run: () => void, values: Record<string, string> = {}): Target => ({
    id: `action/${id}`,
    group: 'actions',
    label: t(`action.${id}`, values),
    icon,
    run,
  });
  const dark = () => {
    const { theme } = app.settings;
    return theme === 'dark' || (theme === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches);
  };
  const density = () => (app.settings.density = app.settings.density === 'compact' ? 'comfortable' : 'compact');
  const unreadOnly = () => (app.settings.unreadOnly = !app.settings.unreadOnly);
  const page = (name: 'threads' | 'mentions' | 'saved' | 'scheduled' | 'people', icon: IconName): Target => ({
    id: `page/${name}`,
    group: 'actions',
    label: t(`rail.${name}`),
    icon,
    run: () => router.go({ page: name }),
  });
  return [
    ...ofRoom(app, one),
    page('threads', 'threads'),
    page('mentions', 'at'),
    page('saved', 'bookmark'),
    page('scheduled', 'clock'),
    page('people', 'people'),
    ...(app.me.role === 'guest'
      ? []
      : [
          one('devices', 'device', () => router.go({ page: 'devices' })),
          one('firmware', 'archive', () => router.go({ page: 'firmware' })),
          one('create', 'plus', () => overlay.open({ name: 'create' })),
          one('browse', 'compass', () => overlay.open({ name: 'browse' })),
        ]),
    one('direct', 'message', () => overlay.open({ name: 'direct' })),
    one(app.settings.unreadOnly ? 'all-rooms' : 'unread-only', 'filter', unreadOnly),
    ...(app.rooms.list.some(hasNews) ? [one('all-read', 'check', () => allRead(app))] : []),
    one('new-section', 'folder', () => overlay.open({ name: 'section' })),
    ...app.arranged.sections.flatMap((s) => ofSection(s.name, app, one)),
    one('pause', 'bell', () => void arranging().then((does) => does.pause(app, true))),
    one('resume', 'bell', () => void arranging().then((does) => does.pause(app, false))),
    one('remind', 'clock', () => void planning().then((does) => does.remindLater(app))),
    one('requests', 'user-plus', () => overlay.open({ name: 'requests' })),
    one('search', 'search', () => router.go({ page: 'search', q: '' })),
    one('theme', 'eye', () => (app.settings.theme = dark() ? 'light' : 'dark')),
    one(app.settings.density === 'compact' ? 'comfortable' : 'compact', 'menu', density),
    one('shortcuts', 'keyboard', () => overlay.open({ name: 'keys' })),
    one('language', 'gear', () => router.go({ page: 'settings', section: 'profile' })),
    ...settingsPages.map((p) => one(`settings-${p}`, 'gear', () => router.go({ page: 'settings', section: p }))),
    ...(app.me.role === 'admin'
      ? adminPages.map((p) => one(`admin-${p}`, 'shield', () => router.go({ page: 'admin', section: p })))
      : []),
    one('sign-out', 'leave', () => signOut(app)),
  ];
}

const planning = () => withTexts(import('../later/planning'), 'later');
const arranging = () => withTexts(import('../shell/arranging'), 'sections');

type One = (id: string, icon: IconName, run: () => void, values: Record<string, string>) => Target;

/** What one does with a section of the list of rooms. */
function ofSection(name: string, app: App, one: One): Target[] {
  const all = app.arranged.sections;
  const does = (what: 'move' | 'remove', to: 1 | -1 = 1) => () =>
    void arranging().then(async (made) => {
      if (what === 'move') await made.move(app, name, to);
      else await made.remove(app, name);
    });
  const made = (id: string, icon: IconName, run: () => void) => {
    const target = one(`${id}-section`, icon, run, { name });
    return { ...target, id: `${target.id}/${name}` };
  };
  return [
    made('rename', 'edit', () => overlay.open({ name: 'section', rename: name })),
    ...(all[0]?.name === name ? [] : [made('raise', 'up', does('move', -1))]),
    ...(all.at(-1)?.name === name ? [] : [made('lower', 'down', does('move'))]),
    made('remove', 'trash', does('remove')),
  ];
}

/** What one does with the room that is open. */
function ofRoom(app: App, one: One): Target[] {
  const { current } = router;
  const r = current.page === 'room' ? app.rooms.list.find((x) => x.id === current.room) : undefined;
  if (!r) return [];
  const room = nameOf(r);
  const favourite = app.arranged.favourites.rooms.includes(r.id);
  const favour = () => void arranging().then((does) => does.favour(app, r));
  const mute = () => void arranging().then((does) => does.mute(app, r));
  const panel = (name: Panel) => () => router.go({ page: 'room', room: r.id, panel: name });
  const does = (what: 'copyLink' | 'leave' | 'archive') => () =>
    void arranging().then((made) => (what === 'copyLink' ? made.copyLink(r) : made[what](app, r)));
  const adds = may(r, 'send') ? overlay.adds() : [];
  const view = current.page === 'room' && current.view ? {} : ({ view: 'dashboard' } as const);
  return [
    ...(hasNews(r) ? [one('mark-read', 'check', () => app.rooms.markRead(r.id), { room })] : []),
    ...adds.flatMap((item) => (item ? [{ ...item, id: `action/${item.label}`, group: 'actions' } as const] : [])),
    one('find', 'search', panel('search'), { room }),
    one(favourite ? 'unfavour' : 'favour', 'star', favour, { room }),
    one('section', 'folder', () => overlay.open({ name: 'section', room: r }), { room }),
    one(app.muted.has(r.id) ? 'unmute' : 'mute', 'mute', mute, { room }),
    one('date', 'calendar', () => overlay.open({ name: 'date', room: r }), { room }),
    one('members', 'people', panel('members'), { room }),
    one('pins', 'pin', panel('pins'), { room }),
    one('files', 'file', panel('files'), { room }),
    ...(r.kind === 'direct'
      ? []
      : [one('dashboard', 'grid', () => router.go({ page: 'room', room: r.id, ...view }), { room })]),
    ...(may(r, 'add') && app.me.role !== 'guest'
      ? [one('add-people', 'user-plus', () => overlay.open({ name: 'add-people', room: r }), { room })]
      : []),
    ...(may(r, 'invites') && r.kind !== 'direct' ? [one('invite', 'link', panel('details'), { room })] : []),
    one('details', 'info', panel('details'), { room }),
    ...(may(r, 'update') ? [one('topic', 'edit', panel('details'), { room })] : []),
    ...(may(r, 'hooks') ? [one('hooks', 'link', panel('details'), { room })] : []),
    ...(may(r, 'archive') ? [one(r.archived ? 'reopen' : 'archive', 'archive', does('archive'), { room })] : []),
    one('copy-link', 'link', does('copyLink'), { room }),
    one('leave', 'leave', does('leave'), { room }),
  ];
}

const late = (a: RoomState, b: RoomState) => Date.parse(b.last_at) - Date.parse(a.last_at);

/** Everything to jump to, what was active last first. */
export function targetsOf(app: App): Target[] {
  const rooms = app.rooms.list.toSorted((a, b) => Number(b.unread > 0) - Number(a.unread > 0) || late(a, b));
  const go = (r: RoomState) => () => router.go({ page: 'room', room: r.id });
  return [...rooms.map((r) => roomTarget(app, r, go(r))), ...actions(app)];
}

/** The rooms in which the user may write, for what chosen does. */
export const writable = (app: App, chosen: (room: RoomState) => void): Target[] =>
  app.rooms.list
    .filter((r) => may(r, 'send'))
    .toSorted(late)
    .map((r) => ({ ...roomTarget(app, r, () => chosen(r)), unread: 0, mentions: 0 }));
