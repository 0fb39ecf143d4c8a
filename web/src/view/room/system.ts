import { keepText } from '../keep';
import { t } from '../text';
import { dateTimeOf } from '../when';
import type { Event } from '../types';

function change(e: Event, actor: string): string {
  const d = e.detail ?? {};
  if (d.name !== undefined) return t('system.named', { actor, name: d.name });
  if (d.topic !== undefined) return d.topic ? t('system.topic', { actor, topic: d.topic }) : t('system.topic-removed', { actor });
  if (d.kind === 'public' || d.kind === 'private') return t(`system.${d.kind}`, { actor });
  if (d.archived !== undefined) return t(d.archived ? 'system.archived' : 'system.reopened', { actor });
  if (d.held !== undefined) return t(d.held ? 'system.held' : 'system.released', { actor });
  if (d.retention) return t('system.retention', { actor, keep: keepText(d.retention) });
  return t('system.changed', { actor });
}

/** What an event that is not a message says, in one line. */
export function systemText(e: Event): string {
  const actor = e.actor.display_name;
  const subject = e.subject?.display_name ?? actor;
  const themselves = !e.subject || e.subject.id === e.actor.id;
  const line = (() => {
    switch (e.type) {
      case 'room.created':
        return t('system.created', { actor });
      case 'room.updated':
        return change(e, actor);
      case 'member.joined':
        if (!themselves) return t('system.added', { actor, subject });
        return t(e.detail?.invite ? 'system.joined-invite' : 'system.joined', { subject });
      case 'member.muted':
        return e.detail?.until
          ? t('system.muted', { actor, subject, when: dateTimeOf(e.detail.until) })
          : t('system.unmuted', { actor, subject });
      case 'member.role':
        return t(`system.role-${e.detail?.role ?? 'member'}`, { actor, subject });
      case 'member.left':
      case 'member.kicked':
      case 'member.banned':
      case 'member.unbanned':
        return t(`system.${e.type.slice('member.'.length)}`, { actor, subject });
      default:
        return t('system.changed', { actor });
    }
  })();
  return e.detail?.reason ? t('system.reason', { line, reason: e.detail.reason }) : line;
}
