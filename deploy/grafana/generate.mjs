// Writes dashboards/*.json: `node generate.mjs`. `node generate.mjs --check` fails
// if they differ from what is written here.
import { readFileSync, writeFileSync } from "node:fs";

const panel = (title, unit, ...targets) => ({ title, unit, targets });
const line = (expr, legend) => ({ expr, legend });
// Times of requests, with the traces that exemplars name.
const times = (quantiles, metric) =>
  quantiles.map((q, i) => ({ ...line(quantile(q, metric), `p${q * 100}`), exemplar: i === 0 }));
const rate = (metric, by, filter = "") => `sum by (${by}) (rate(${metric}{job="unhidra",instance=~"$instance"${filter}}[$__rate_interval]))`;
const sum = (metric) => `sum by (instance) (${metric}{job="unhidra",instance=~"$instance"})`;
const each = (metric, by) => `sum by (${by}) (${metric}{job="unhidra",instance=~"$instance"})`;
const quantile = (q, metric, by = "") => `histogram_quantile(${q}, sum by (le${by}) (rate(${metric}_bucket{job="unhidra",instance=~"$instance"}[$__rate_interval])))`;
// What all nodes know is the same on each.
const max = (metric, by, filter = "") => `max by (${by}) (${metric}{job="unhidra",instance=~"$instance"${filter}})`;
const keyEnd = max("firmware_key_expiry_timestamp_seconds", "key");
const lastBackup = sum("backup_last_success_timestamp_seconds");

const dashboards = {
  "realtime": ["Unhidra: real-time", [
    panel("Connections", "short", line(sum("gateway_connections"), "{{instance}}")),
    panel("Handshakes by status", "reqps", line(rate("gateway_handshakes_total", "code"), "{{code}}")),
    panel("Connections that ended, by reason", "ops", line(rate("gateway_disconnects_total", "reason"), "{{reason}}")),
    panel("Events delivered", "ops", line(rate("gateway_events_total", "instance"), "{{instance}}")),
    panel("From acceptance to the socket", "s",
      ...times([0.5, 0.95, 0.99], "gateway_message_delivery_duration_seconds")),
    panel("Messages by result", "ops", line(rate("chat_messages_total", "result"), "{{result}}")),
    panel("Waiting to be sent", "bytes", line(sum("gateway_send_queue_bytes"), "{{instance}}")),
    panel("Read from the log, because the bus lost them", "ops", line(rate("gateway_gap_events_total", "instance"), "{{instance}}")),
    panel("Rooms behind their logs, and rooms to be loaded again", "short",
      line(sum("gateway_rooms_behind"), "{{instance}} behind"),
      line(rate("gateway_resets_total", "instance"), "{{instance}} again, a second")),
    panel("Messages over the bus (none: one node alone)", "ops",
      line(rate("bus_published_total", "instance"), "{{instance}} sent"), line(rate("bus_received_total", "instance"), "{{instance}} received")),
    panel("Lost by the bus, by the reason", "ops", line(rate("bus_lost_total", "because"), "{{because}}"), line(rate("bus_dropped_total", "instance"), "{{instance}} slow listener")),
    panel("Error budget burn, one hour (1 = as fast as allowed)", "short", line("slo:errors:ratio_rate1h / slo:budget:ratio", "{{slo}}")),
    panel("Rooms with members here", "short", line(sum("gateway_rooms"), "{{instance}}")),
  ]],
  "limits": ["Unhidra: rate limits", [
    panel("Allowed, by rule", "ops", line(rate("rate_limit_decisions_total", "rule", ',decision="allowed"'), "{{rule}}")),
    panel("Refused, by rule", "ops", line(rate("rate_limit_decisions_total", "rule", ',decision="denied"'), "{{rule}}")),
    panel("Share refused, by rule", "percentunit", line(
      `${rate("rate_limit_decisions_total", "rule", ',decision="denied"')} / ${rate("rate_limit_decisions_total", "rule")}`, "{{rule}}")),
    panel("Handshakes answered 429", "reqps", line(`${rate("gateway_handshakes_total", "instance", ',code="429"')} or 0 * ${sum("gateway_connections")}`, "{{instance}}")),
    panel("API requests answered 429", "reqps", line(`${rate("http_requests_total", "instance", ',code="429"')} or 0 * ${sum("gateway_connections")}`, "{{instance}}")),
  ]],
  "services": ["Unhidra: API by route", [
    panel("Requests by route", "reqps", line(rate("http_requests_total", "route"), "{{route}}")),
    panel("Requests by status", "reqps", line(rate("http_requests_total", "code"), "{{code}}")),
    panel("Share of errors by route", "percentunit", line(
      `(${rate("http_requests_total", "route", ',code=~"5.."')} or 0 * ${rate("http_requests_total", "route")}) / ${rate("http_requests_total", "route")}`, "{{route}}")),
    panel("Time to answer, p99 by route", "s", line(quantile(0.99, "http_request_duration_seconds", ", route"), "{{route}}")),
    panel("Time to answer", "s", ...times([0.5, 0.95, 0.99], "http_request_duration_seconds")),
    panel("Mails tried, by result (none: no mail server)", "ops", line(rate("mail_attempts_total", "result"), "{{result}}")),
    panel("Mails waiting", "short", line('max(mail_waiting{job="unhidra",instance=~"$instance"})', "waiting")),
    panel("Audit log: records, and events that wait", "short",
      line(rate("audit_records_total", "instance"), "{{instance}} records a second"), line(sum("audit_queue_depth"), "{{instance}} waiting")),
    panel("Audit log: how far receivers are behind", "s", line('max by (sink) (audit_sink_lag_seconds{job="unhidra",instance=~"$instance"})', "{{sink}}")),
    panel("Requests by listener", "reqps", line(rate("http_requests_total", "listener"), "{{listener}}")),
  ]],
  "background": ["Unhidra: background work", [
    panel("Feed: how far consumers are behind (none: no consumer)", "s",
      line('max by (consumer) (feed_lag_seconds{job="unhidra",instance=~"$instance"})', "{{consumer}}")),
    panel("Feed: events set aside (none: no consumer)", "short",
      line('max by (consumer) (feed_set_aside{job="unhidra",instance=~"$instance"})', "{{consumer}}")),
    panel("Files: operations", "ops", line(rate("blob_operations_total", "operation"), "{{operation}}")),
    panel("Files: operations that failed", "ops",
      line(rate("blob_operations_total", "operation", ',result="failed"'), "{{operation}}")),
    panel("Files: stored", "Bps", line(rate("blob_stored_bytes_total", "instance"), "{{instance}}")),
    panel("Age of the last good backup (0: none)", "s",
      line(`(time() - ${lastBackup}) * (${lastBackup} > bool 0)`, "{{instance}}")),
    panel("Size of the last good backup (0: none since the start)", "bytes",
      line(sum("backup_size_bytes"), "{{instance}}")),
    panel("Backups that failed", "ops", line(rate("backup_failures_total", "instance"), "{{instance}}")),
    panel("Traces: spans sent (none: tracing is off)", "ops",
      line(rate("trace_spans_exported_total", "instance"), "{{instance}}")),
    panel("Traces: spans lost, by the reason (none: tracing is off)", "ops",
      line(rate("trace_spans_dropped_total", "reason"), "{{reason}}")),
    panel("Log: warnings and errors, by part", "ops",
      line(rate("log_lines_total", "part, level", ',level=~"warn|error"'), "{{part}} {{level}}")),
    panel("Log: lines left out, because they repeat one", "ops",
      line(rate("log_lines_left_out_total", "part"), "{{part}}")),
  ]],
  "webhooks": ["Unhidra: webhooks and slash commands", [
    panel("Outgoing webhooks: attempts to deliver, by what became of them", "ops",
      line(rate("webhook_deliveries_total", "result"), "{{result}}")),
    panel("Outgoing webhooks: deliveries that wait (all nodes)", "short",
      line('max(webhook_deliveries_waiting{job="unhidra",instance=~"$instance"})', "waiting")),
    panel("Outgoing webhooks: age of the oldest event that waits, by how its receiver is (all nodes)", "s",
      line(max("webhook_oldest_seconds", "receiver"), "{{receiver}}")),
    panel("Outgoing webhooks: how long the first has been due, and the first receiver has failed (all nodes)", "s",
      line('max(webhook_late_seconds{job="unhidra",instance=~"$instance"})', "due"),
      line('max(webhook_failing_seconds{job="unhidra",instance=~"$instance"})', "failing")),
    panel("Outgoing webhooks: that fail, and that are off, by why (all nodes)", "short",
      line('max(webhook_receivers_failing{job="unhidra",instance=~"$instance"})', "failing"),
      line(max("webhook_receivers_off", "why"), "off: {{why}}")),
    panel("Outgoing webhooks: time that receivers take", "s",
      ...[0.5, 0.95, 0.99].map((q) => line(quantile(q, "webhook_delivery_seconds"), `p${q * 100}`))),
    panel("Outgoing webhooks: from an event until its receiver took it", "s",
      ...[0.5, 0.95, 0.99].map((q) => line(quantile(q, "webhook_delay_seconds"), `p${q * 100}`))),
    panel("Slash commands, by what became of them", "ops",
      line(rate("webhook_commands_total", "result"), "{{result}}")),
    panel("Slash commands: time until the first answer", "s",
      ...[0.5, 0.95, 0.99].map((q) => line(quantile(q, "webhook_command_seconds"), `p${q * 100}`))),
    panel("Incoming webhooks: requests, by result (also later answers to slash commands)", "ops",
      line(rate("webhook_requests_total", "result"), "{{result}}")),
  ]],
  "devices": ["Unhidra: device health", [
    panel("Devices connected", "short", line(sum("device_connected"), "{{instance}}")),
    panel("Devices offline, of those that are usually connected (all nodes)", "percentunit",
      line("unhidra:devices_offline:ratio", "offline")),
    panel("Connections that devices open", "ops", line(rate("device_connects_total", "instance"), "{{instance}}")),
    panel("MQTT: connections", "short", line(sum("mqtt_connections"), "{{instance}}")),
    panel("MQTT: connections, by what came of them", "ops", line(rate("mqtt_connects_total", "result"), "{{result}}")),
    panel("MQTT: connections that ended, by reason", "ops", line(rate("mqtt_disconnects_total", "reason"), "{{reason}}")),
    panel("MQTT: messages", "ops", line(rate("mqtt_messages_received_total", "qos"), "received, QoS {{qos}}"),
      line(rate("mqtt_messages_sent_total", "qos"), "sent, QoS {{qos}}")),
    panel("MQTT: messages not passed on, by reason", "ops",
      line(rate("mqtt_messages_dropped_total", "reason"), "{{reason}}")),
    panel("Readings stored", "ops", line(rate("telemetry_readings_total", "instance"), "{{instance}}")),
    panel("Readings refused, by reason", "ops", line(rate("telemetry_refused_readings_total", "reason"), "{{reason}}")),
    panel("Reports not taken, and reports that came twice", "ops",
      line(rate("telemetry_unacknowledged_reports_total", "instance"), "{{instance}} not taken"),
      line(rate("telemetry_duplicate_reports_total", "instance"), "{{instance}} twice")),
    panel("Time until readings are durable", "s",
      ...[0.5, 0.95, 0.99].map((q) => line(quantile(q, "telemetry_commit_seconds"), `p${q * 100}`))),
    panel("Readings in memory that wait to be packed (0: PostgreSQL, which has them itself)", "bytes",
      line(`${sum("telemetry_waiting_bytes")} or 0 * ${sum("device_connected")}`, "{{instance}}")),
    panel("Clocks of devices, share of requests", "percentunit",
      line(`${rate("telemetry_clocks_total", "clock")} / on() group_left() sum(${rate("telemetry_clocks_total", "clock")})`, "{{clock}}")),
    panel("Commands given and ended", "ops", line(rate("command_given_total", "instance"), "{{instance}} given"),
      line(rate("command_ended_total", "state"), "{{state}}")),
    panel("Commands: time until the device has answered", "s",
      ...[0.5, 0.95, 0.99].map((q) => line(quantile(q, "command_answer_seconds"), `p${q * 100}`))),
    panel("Alarms raised and over", "ops", line(rate("alarm_raised_total", "severity"), "{{severity}}"),
      line(rate("alarm_cleared_total", "instance"), "{{instance}} over")),
    panel("Alarms: time from a report to its judgement", "s",
      ...[0.5, 0.95, 0.99].map((q) => line(quantile(q, "alarm_delay_seconds"), `p${q * 100}`))),
  ]],
  "firmware": ["Unhidra: firmware", [
    panel("Rollouts that go on, of all nodes", "short",
      line(max("rollout_rollouts", "state", ',state=~"awaiting_approval|scheduled|running|soaking|paused|reverting"'), "{{state}}")),
    panel("Rollouts that are paused, by why (of all nodes)", "short", line(max("rollout_paused", "why"), "{{why}}")),
    panel("Devices in rollouts that go on, of all nodes", "short", line(max("rollout_devices", "state"), "{{state}}")),
    panel("Updates that ended", "ops", line(rate("rollout_updates_total", "state"), "{{state}}")),
    panel("Devices lost within an hour: restarted, and not heard of again", "short",
      line('sum(increase(rollout_updates_total{job="unhidra",instance=~"$instance",state="lost"}[1h]))', "lost")),
    panel("Offers: made, and refused by devices", "ops", line(rate("rollout_offers_total", "instance"), "{{instance}} made"),
      line(rate("rollout_refused_offers_total", "instance"), "{{instance}} refused")),
    panel("Times that rollouts went on, by where they came to", "ops", line(rate("rollout_turns_total", "state"), "{{state}}")),
    panel("Crashes that devices told of", "ops", line(rate("device_crashes_total", "instance"), "{{instance}}")),
    panel("Downloads, by result", "ops", line(rate("firmware_downloads_total", "result"), "{{result}}")),
    panel("Downloads: bytes sent", "Bps", line(rate("firmware_download_bytes_total", "instance"), "{{instance}}")),
    panel("Downloads under way, share of the limit", "percentunit", line(
      'max by (instance) (queue_depth{job="unhidra",instance=~"$instance",queue="downloads"} / queue_limit{job="unhidra",instance=~"$instance",queue="downloads"})', "{{instance}}")),
    panel("Days until keys of firmware end, of the first product (0: none does, or one has ended)", "d", line(
      `clamp_min(${keyEnd} - time(), 0) / 86400 * (${keyEnd} > bool 0)`, "{{key}}")),
  ]],
  "models": ["Unhidra: models", [
    panel("Requests, by outcome", "reqps", line(rate("ml_requests_total", "model, version, outcome"), "{{model}} {{version}} {{outcome}}")),
    panel("Time to answer, half of the requests", "s", line(quantile(0.5, "ml_request_duration_seconds", ", model, version"), "{{model}} {{version}}")),
    panel("Time to answer, p95", "s", line(quantile(0.95, "ml_request_duration_seconds", ", model, version"), "{{model}} {{version}}")),
    panel("Time to answer, p99", "s", line(quantile(0.99, "ml_request_duration_seconds", ", model, version"), "{{model}} {{version}}")),
    panel("Waiting for a worker (at most 256)", "short", line(each("ml_waiting", "model, version"), "{{model}} {{version}}")),
    panel("Workers: ready, and wanted", "short", line(each("ml_workers_ready", "model, version"), "{{model}} {{version}} ready"),
      line(each("ml_workers", "model, version"), "{{model}} {{version}} wanted")),
    panel("Workers that ended within an hour, and were started again", "short",
      line('sum by (model, version) (increase(ml_worker_deaths_total{job="unhidra",instance=~"$instance"}[1h]))', "{{model}} {{version}}")),
    panel("Versions that do not run: they end too often or cannot be loaded", "short",
      line(each("ml_version_failed", "model, version"), "{{model}} {{version}}")),
    panel("Inputs refused within an hour, because they ended two workers", "short",
      line('sum by (model, version) (increase(ml_quarantined_total{job="unhidra",instance=~"$instance"}[1h]))', "{{model}} {{version}}")),
    panel("Memory of workers, and its limit", "bytes", line(each("ml_memory_bytes", "model, version"), "{{model}} {{version}}"),
      line(each("ml_memory_limit_bytes", "model, version"), "{{model}} {{version}} limit")),
    panel("Share of the requests that a candidate answers (none: no candidate)", "percent",
      line(`${max("ml_candidate_percent", "model, version")} or 0 * ${max("ml_workers", "model, version")}`, "{{model}} {{version}}")),
    panel("Rolled back by itself within a day, by rule", "short",
      line('max by (model, rule) (increase(ml_rollbacks_total{job="unhidra",instance=~"$instance"}[1d]))', "{{model}} {{rule}}")),
    panel("Drift of what is asked and answered (below 0.1: little, from 0.25: much; none: not enough to say)", "short",
      line(max("ml_drift", "model, version, what"), "{{model}} {{version}} {{what}}")),
    panel("Answers of shadows, by whether they were the same", "reqps", line(rate("ml_shadow_requests_total", "model, version, result"), "{{model}} {{version}} {{result}}")),
    panel("Chunks of streams, and streams that whoever asked left", "cps",
      line(rate("ml_stream_chunks_total", "model, version"), "{{model}} {{version}} chunks"),
      line(rate("ml_streams_cancelled_total", "model, version"), "{{model}} {{version}} left")),
    panel("Nodes on which models are on and none can run", "short", line(sum("ml_away"), "{{instance}}")),
  ]],
  "resources": ["Unhidra: resources", [
    panel("Processor", "percentunit", line(rate("process_cpu_seconds_total", "instance"), "{{instance}}")),
    panel("Memory", "bytes", line(sum("process_resident_memory_bytes"), "{{instance}} resident"), line(sum("go_memstats_heap_inuse_bytes"), "{{instance}} heap")),
    panel("File descriptors in use", "percentunit", line(`${sum("process_open_fds")} / ${sum("process_max_fds")}`, "{{instance}}")),
    panel("Goroutines", "short", line(sum("go_goroutines"), "{{instance}}")),
    panel("Garbage collection, time a second", "s", line(rate("go_gc_duration_seconds_sum", "instance"), "{{instance}}")),
    panel("Room on the disk", "bytes", line(sum("unhidra_data_disk_free_bytes"), "{{instance}} free"), line(sum("unhidra_data_disk_size_bytes"), "{{instance}} size")),
    panel("Size of the database", "bytes", line('max by (instance) (store_size_bytes{job="unhidra",instance=~"$instance"})', "{{instance}}")),
    panel("Queues, share of their limits", "percentunit", line(
      'max by (queue) (queue_depth{job="unhidra",instance=~"$instance"} / queue_limit{job="unhidra",instance=~"$instance"})', "{{queue}}")),
    panel("Refused, because a queue was full", "ops", line(rate("queue_full_total", "queue"), "{{queue}}")),
    panel("Days until certificates end (none: TLS is off)", "d", line(`((tls_certificate_expiry_timestamp_seconds{job="unhidra",instance=~"$instance"} - time()) / 86400) or 0 * ${sum("gateway_connections")}`, "{{instance}} {{listener}} {{names}}")),
    panel("Versions", "short", line('count by (version) (unhidra_build_info{job="unhidra",instance=~"$instance"})', "{{version}}")),
    panel("Connected to NATS (none: one node alone)", "short", line(sum("bus_connected"), "{{instance}}")),
    panel("Waiting for the bus", "short", line(sum("bus_queue_length"), "{{instance}} to send"), line(sum("bus_inbound_length"), "{{instance}} to hand on")),
    panel("Up", "short", line('up{job="unhidra",instance=~"$instance"}', "{{instance}}")),
  ]],
};

const source = { type: "prometheus", uid: "prometheus" };

function render(name, [title, panels]) {
  return {
    uid: `unhidra-${name}`, title, tags: ["unhidra"], schemaVersion: 39, version: 1, editable: false,
    refresh: "30s", time: { from: "now-1h", to: "now" }, timezone: "browser",
    templating: { list: [{
      name: "instance", label: "Node", type: "query", datasource: source, refresh: 2, multi: true, includeAll: true, allValue: ".*",
      current: { text: "All", value: "$__all" }, query: { query: 'label_values(up{job="unhidra"}, instance)', refId: "instance" },
    }] },
    links: [{ type: "dashboards", tags: ["unhidra"], title: "Unhidra", asDropdown: true }],
    panels: panels.map((p, i) => ({
      id: i + 1, type: "timeseries", title: p.title, datasource: source,
      gridPos: { h: 8, w: 12, x: 12 * (i % 2), y: 8 * Math.floor(i / 2) },
      fieldConfig: { defaults: { unit: p.unit, min: 0, custom: { fillOpacity: 10, showPoints: "never" } }, overrides: [] },
      options: { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi", sort: "desc" } },
      targets: p.targets.map((t, j) => ({
        refId: String.fromCharCode(65 + j), datasource: source, expr: t.expr, legendFormat: t.legend,
        exemplar: t.exemplar || undefined,
      })),
    })),
  };
}

let differs = false;
for (const [name, d] of Object.entries(dashboards)) {
  const file = new URL(`dashboards/${name}.json`, import.meta.url);
  const text = JSON.stringify(render(name, d), null, 2) + "\n";
  if (!process.argv.includes("--check")) writeFileSync(file, text);
  else if (readFileSync(file, "utf8") !== text) { console.error(`${name}.json is not what generate.mjs writes; run node deploy/grafana/generate.mjs`); differs = true; }
}
process.exit(differs ? 1 : 0);
