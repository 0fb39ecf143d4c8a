// Configurations to copy to a device, for the programs that makers use.

export const programs = [
  { id: 'esphome', name: 'ESPHome' },
  { id: 'tasmota', name: 'Tasmota' },
  { id: 'arduino', name: 'Arduino' },
  { id: 'python', name: 'Python' },
  { id: 'go', name: 'Go' },
] as const;

export type Program = (typeof programs)[number]['id'];

interface Place {
  device: { id: string; name: string };
  key: string;
  /** of this server, for MQTT */
  host: string;
  /** of this server, for the WebSocket */
  origin: string;
}

const mqttPort = 1883;

/** What to copy into the configuration, or the source, of a device. */
export function configOf(program: Program, p: Place): string {
  const { id } = p.device;
  switch (program) {
    case 'esphome':
      return `mqtt:
  broker: ${p.host}
  port: ${mqttPort}
  username: ${id}
  password: ${p.key}`;
    case 'tasmota':
      return `Backlog MqttHost ${p.host}; MqttPort ${mqttPort}; MqttUser ${id}; MqttPassword ${p.key}`;
    case 'arduino':
      return `// Library: PubSubClient
client.setServer("${p.host}", ${mqttPort});
client.connect("${id}", "${id}", "${p.key}");
client.publish("uh/d/${id}/up", "{\\"temperature\\":21.4}");`;
    case 'python':
      return `# pip install paho-mqtt
import json, paho.mqtt.publish as publish

publish.single(
    "uh/d/${id}/up", json.dumps({"temperature": 21.4}), qos=1,
    hostname="${p.host}", port=${mqttPort}, auth={"username": "${id}", "password": "${p.key}"})`;
    case 'go':
      return `// go get github.com/unhidra/unhidra/client/device
d, err := device.Dial(ctx, "${p.origin}", "${p.key}", device.Options{})
if err != nil {
	log.Fatal(err)
}
err = d.Report(ctx, map[string]any{"temperature": 21.4})`;
  }
}
