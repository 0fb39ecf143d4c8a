import { batchText, commandText } from '../device/commandtext';
import { valueOf } from '../device/values';
import { keepText } from '../keep';
import { numberOf } from '../size';
import { t } from '../text';
import { dateTimeOf } from '../when';
import type { Details, LineType } from '../events';
import type { AlarmLine, CommandLine, Detail, Event } from '../types';

interface Who {
  actor: string;
  subject: string;
  /** nobody did it to another */
  themselves: boolean;
}

function change(d: Details['room.updated'], actor: string): string {
  if (d.name !== undefined) return t('system.named', { actor, name: d.name });
  if (d.topic !== undefined)
    return d.topic ? t('system.topic', { actor, topic: d.topic }) : t('system.topic-removed', { actor });
  if (d.kind === 'public' || d.kind === 'private') return t(`system.${d.kind}`, { actor });
  if (d.archived !== undefined) return t(d.archived ? 'system.archived' : 'system.reopened', { actor });
  if (d.hides_history !== undefined)
    return t(d.hides_history ? 'system.history-hidden' : 'system.history-shown', { actor });
  if (d.look) return t('system.look', { actor });
  if (d.previews !== undefined) return t(d.previews ? 'system.previews-on' : 'system.previews-off', { actor });
  if (d.screening) return t('system.screening', { actor });
  if (d.held !== undefined) return t(d.held ? 'system.held' : 'system.released', { actor });
  if (d.retention) return t('system.retention', { actor, keep: keepText(d.retention) });
  return t('system.changed', { actor });
}

/** The words for each type that has a line and is no message. */
const lines: { [T in Exclude<LineType, 'message.created'>]: (who: Who, d: Details[T]) => string } = {
  'room.created': ({ actor }) => t('system.created', { actor }),
  'room.updated': ({ actor }, d) => change(d, actor),
  'member.joined': ({ actor, subject, themselves }, d) => {
    if (!themselves) return t('system.added', { actor, subject });
    return t(d.invite ? 'system.joined-invite' : 'system.joined', { subject });
  },
  'member.left': ({ subject }) => t('system.left', { subject }),
  'member.kicked': ({ actor, subject }) => t('system.kicked', { actor, subject }),
  'member.banned': ({ actor, subject }) => t('system.banned', { actor, subject }),
  'member.unbanned': ({ actor, subject }) => t('system.unbanned', { actor, subject }),
  'member.muted': ({ actor, subject }, d) =>
    d.until
      ? t('system.muted', { actor, subject, when: dateTimeOf(d.until) })
      : t('system.unmuted', { actor, subject }),
  'member.role': ({ actor, subject }, d) => t(`system.role-${d.role ?? 'member'}`, { actor, subject }),
  'alarm.raised': ({ actor, subject }, d) => alarmText(d.alarm, 'raised', subject) ?? t('system.unknown', { actor }),
  'alarm.cleared': ({ actor, subject }, d) => alarmText(d.alarm, 'cleared', subject) ?? t('system.unknown', { actor }),
  'alarm.escalated': ({ actor, subject }, d) =>
    d.alarm ? t('system.alarm-escalated', { subject, name: d.alarm.name }) : t('system.unknown', { actor }),
  'chart.posted': ({ actor, subject }) => t('system.chart', { actor, subject }),
  'rollout.told': ({ actor }, { rollout: r }) =>
    r ? t('system.rollout', { actor, product: r.product, version: r.version }) : t('system.unknown', { actor }),
  'group.commanded': ({ actor }, { batch: b }) =>
    b
      ? t('system.command', { actor, subject: b.group, what: commandText(b), state: batchText(b.counts) })
      : t('system.unknown', { actor }),
  'command.sent': ({ actor, subject }, d) =>
    d.command
      ? t('system.command', { actor, subject, what: commandText(d.command), state: outcome(d.command) })
      : t('system.unknown', { actor }),
};

/** What has become of a command. */
function outcome(c: CommandLine): string {
  if (c.state === 'running' && c.progress !== undefined)
    return t('system.command-progress', { percent: numberOf(c.progress) });
  const state = t(`system.command-${c.state}`);
  const says = c.error ?? (c.result === undefined ? '' : answerText(c.result));
  return says ? `${state}, ${says}` : state;
}

const answerText = (v: unknown): string => (typeof v === 'string' ? v : JSON.stringify(v));

/** What an alarm says: that it was raised, and by which value, or that it is over. */
function alarmText(a: AlarmLine | undefined, what: 'raised' | 'cleared', subject: string): string | undefined {
  if (!a) return undefined;
  if (what === 'cleared') return t('system.alarm-cleared', { subject, name: a.name });
  const line =
    a.value === undefined || a.limit === undefined
      ? t('system.alarm-raised', { subject, name: a.name })
      : t('system.alarm-value', {
          subject,
          name: a.name,
          sensor: a.sensor ?? '',
          value: valueOf(a.value, undefined, ''),
          limit: valueOf(a.limit, undefined, ''),
        });
  return a.cleared_at || !a.acknowledged ? line : t('system.alarm-acknowledged', { line });
}

const words = new Map<string, (who: Who, d: Detail) => string>(Object.entries(lines));

/** What an event that is not a message says, in one line. */
export function systemText(e: Event): string {
  const actor = e.actor.display_name;
  const who = {
    actor,
    subject: e.subject?.display_name ?? actor,
    themselves: !e.subject || e.subject.id === e.actor.id,
  };
  const line = words.get(e.type)?.(who, e.detail ?? {}) ?? t('system.unknown', { actor });
  return e.detail?.reason ? t('system.reason', { line, reason: e.detail.reason }) : line;
}
