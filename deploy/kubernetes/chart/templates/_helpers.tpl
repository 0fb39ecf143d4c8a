{{- define "unhidra.name" -}}
{{- if contains "unhidra" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-unhidra{{ end }}
{{- end }}

{{- define "unhidra.selector" -}}
app.kubernetes.io/name: unhidra
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "unhidra.labels" -}}
{{ include "unhidra.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "unhidra.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else }}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- if .Values.models.enabled }}-models{{ end }}
{{- end }}
{{- end }}

{{- /* The workloads of a topology: name -> values and roles. */}}
{{- define "unhidra.workloads" -}}
{{- if eq .Values.topology "roles" }}
gateway: {roles: gateway, public: true}
auth: {roles: auth, public: false}
worker: {roles: worker, public: false}
{{- else }}
nodes: {roles: all, public: true}
{{- end }}
{{- end }}

{{- /* Paths that the account API serves, where it runs apart. */}}
{{- define "unhidra.authPaths" -}}
[/api/v1/auth, /api/v1/me, /api/v1/users, /api/v1/avatars, /api/v1/server, /.well-known/jwks.json]
{{- end }}

{{- define "unhidra.host" -}}
{{- (urlParse .Values.publicURL).hostname }}
{{- end }}

{{- define "unhidra.mqttHost" -}}
{{- .Values.mqtt.host | default (include "unhidra.host" .) }}
{{- end }}

{{- /* Ports of MQTT, for a Service. */}}
{{- define "unhidra.mqttPorts" -}}
- {name: mqtts, port: 8883, targetPort: mqtts}
{{- if .Values.mqtt.plain }}
- {name: mqtt, port: 1883, targetPort: mqtt}
{{- end }}
{{- end }}

{{- define "unhidra.check" -}}
{{- if and .Values.mqtt.enabled (not .Values.mqtt.tlsSecret) (not .Values.acme.domains) }}
{{- fail "mqtt.enabled needs a certificate: set mqtt.tlsSecret, or acme.domains" }}
{{- end }}
{{- if and .Values.mqtt.tlsSecret .Values.acme.domains }}
{{- fail "with acme.domains MQTT has the certificates of the public port: leave mqtt.tlsSecret empty" }}
{{- end }}
{{- if not .Values.publicURL }}{{ fail "set publicURL to where people reach the server, such as https://chat.example.org" }}{{ end }}
{{- if ne .Values.topology "embedded" }}
{{- if and .Values.models.enabled (not .Values.models.claim) }}
{{- fail "models.enabled with this topology needs models.claim: a volume with the models, which all nodes read" }}
{{- end }}
{{- range list "DATABASE_URL" "NATS_URL" "UNHIDRA_SERVER_KEY" }}
{{- if not (index $.Values.secrets .) }}{{ fail (printf "topology %s needs secrets.%s: {name: ..., key: ...}" $.Values.topology .) }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
