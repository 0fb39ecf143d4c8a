import { reasonOf } from '../failure';
import type { App } from '../port';
import { iconOf, nameOf } from '../roomname';
import { router } from '../route.svelte';
import { signOut } from '../signout';
import { t } from '../text';
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
    run: () =>
      void app.api.direct([u.id]).then(
        (room) => router.go({ page: 'room', room }),
        (err: unknown) => overlay.say(reasonOf(err), true),
      ),
  };
}

function roomTarget(app: App, r: RoomState): Target {
  const peer = r.kind === 'direct' && r.peers?.length === 1 ? r.peers[0] : undefined;
  return {
    id: peer?.id ?? r.id,
    group: 'rooms',
    label: nameOf(r),
    also: peer?.username ?? r.topic ?? '',
    note: peer ? `@${peer.username}` : r.topic,
    icon: iconOf(r),
    face: peer && {
      id: peer.id,
      name: peer.display_name,
      src: peer.avatar,
      presence: app.people.presence(peer.id)?.is,
    },
    unread: r.unread,
    mentions: r.mentions,
    run: () => router.go({ page: 'room', room: r.id }),
  };
}

function actions(app: App): Target[] {
  const one = (id: string, icon: NonNullable<Target['icon']>, run: () => void): Target => ({
    id: `action/${id}`,
    group: 'actions',
    label: t(`action.${id}`),
    icon,
    run,
  });
  const dark = () => {
    const { theme } = app.settings;
    return theme === 'dark' || (theme === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches);
  };
  return [
    one('create', 'plus', () => overlay.open({ name: 'create' })),
    one('browse', 'compass', () => overlay.open({ name: 'browse' })),
    one('direct', 'message', () => overlay.open({ name: 'direct' })),
    one('search', 'search', () => router.go({ page: 'search', q: '' })),
    one('devices', 'device', () => router.go({ page: 'devices' })),
    one('settings', 'gear', () => router.go({ page: 'settings', section: 'profile' })),
    ...(app.me.role === 'admin' ? [one('admin', 'shield', () => router.go({ page: 'admin', section: 'users' }))] : []),
    one('theme', 'eye', () => (app.settings.theme = dark() ? 'light' : 'dark')),
    one('shortcuts', 'keyboard', () => overlay.open({ name: 'keys' })),
    one('sign-out', 'leave', () => signOut(app)),
  ];
}

/** Everything to jump to, what was active last first. */
export function targetsOf(app: App): Target[] {
  const rooms = [...app.rooms.list].sort(
    (a, b) => Number(b.unread > 0) - Number(a.unread > 0) || Date.parse(b.last_at) - Date.parse(a.last_at),
  );
  return [...rooms.map((r) => roomTarget(app, r)), ...actions(app)];
}
