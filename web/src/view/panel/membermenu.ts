import { reasonOf } from '../failure';
import type { MenuItem } from '../kit/Menu.svelte';
import { may, rank } from '../permit';
import type { App } from '../port';
import { talk } from '../talk';
import { t } from '../text';
import type { Member, RoomState } from '../types';
import { overlay } from '../ui.svelte';

const hour = 3_600_000;

/** What can be done with a member of a room. */
export function memberMenu(app: App, room: RoomState, m: Member, over: boolean, done: () => void): MenuItem[] {
  if (m.id === app.me.id) return [];
  const name = m.display_name;

  const attempt = (job: () => Promise<void>) => () => {
    void job().then(done, (err: unknown) => overlay.say(reasonOf(err), true));
  };
  const ask = (what: 'kick' | 'ban' | 'hand', action: string, run: (reason: string) => Promise<void>) => () =>
    overlay.open({
      name: 'confirm',
      title: t(`members.${what}-title`, { name }),
      text: t(`members.${what}-text`),
      action,
      reason: what !== 'hand',
      run: (reason) => run(reason).then(done),
    });

  const items: MenuItem[] = [
    {
      label: t('members.message'),
      icon: 'message',
      run: () => talk(app, m),
    },
  ];
  if (over && may(room, 'setRole')) {
    items.push(null);
    for (const role of ['admin', 'moderator', 'member']) {
      if (rank(role) >= rank(room.role)) continue;
      items.push({
        label: t(`role.${role}`),
        checked: m.role === role,
        run: attempt(() => (m.role === role ? Promise.resolve() : app.api.setRole(room.id, m.id, role))),
      });
    }
  }
  if (may(room, 'handOver') && m.kind === 'user') {
    items.push(null, {
      label: t('members.hand-over'),
      icon: 'crown',
      run: ask('hand', t('members.hand-over'), () => app.api.handOver(room.id, m.id)),
    });
  }
  if (over && may(room, 'mute')) {
    const muted = m.muted_until !== undefined && Date.parse(m.muted_until) > Date.now();
    const until = (ms: number) => new Date(Date.now() + ms).toISOString();
    items.push(null);
    if (muted)
      items.push({ label: t('members.unmute'), icon: 'mute', run: attempt(() => app.api.mute(room.id, m.id, null)) });
    else {
      items.push(
        { label: t('members.mute-hour'), icon: 'mute', run: attempt(() => app.api.mute(room.id, m.id, until(hour))) },
        {
          label: t('members.mute-day'),
          icon: 'mute',
          run: attempt(() => app.api.mute(room.id, m.id, until(24 * hour))),
        },
      );
    }
  }
  if (over && may(room, 'kick')) {
    items.push(
      {
        label: t('members.kick'),
        icon: 'leave',
        danger: true,
        run: ask('kick', t('members.kick'), (reason) => app.api.kick(room.id, m.id, reason)),
      },
      {
        label: t('members.ban'),
        icon: 'ban',
        danger: true,
        run: ask('ban', t('members.ban'), (reason) => app.api.ban(room.id, m.id, reason)),
      },
    );
  }
  return items;
}
