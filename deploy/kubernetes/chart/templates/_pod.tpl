{{- /* The pod of a workload. Takes root, name, roles, values. */}}
{{- define "unhidra.pod" -}}
{{- $v := .root.Values }}
{{- $mqtt := and $v.mqtt.enabled (or (eq .name "nodes") (eq .name "gateway")) }}
{{- $mqttTLS := and $mqtt $v.mqtt.tlsSecret }}
{{- $models := and $v.models.enabled $v.models.claim }}
metadata:
  labels:
    {{- include "unhidra.selector" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .name }}
    {{- with $v.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    checksum/settings: {{ include (print .root.Template.BasePath "/settings.yaml") .root | sha256sum }}
    {{- with $v.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ include "unhidra.name" .root }}
  automountServiceAccountToken: false # the server asks the cluster nothing
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ add $v.drain.delay $v.drain.timeout 15 }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  {{- with $v.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with $v.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- if ne $v.topology "embedded" }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "unhidra.selector" $.root | nindent 10 }}
          app.kubernetes.io/component: {{ $.name }}
    {{- end }}
  {{- end }}
  containers:
    - name: unhidra
      image: {{ include "unhidra.image" .root }}
      imagePullPolicy: {{ $v.image.pullPolicy }}
      args: [serve]
      envFrom:
        - configMapRef: {name: {{ include "unhidra.name" .root }}}
      env:
        - {name: UNHIDRA_ROLES, value: {{ .roles }}}
        {{- range $setting, $_ := $v.secrets }}
        - {name: {{ $setting }}_FILE, value: /run/secrets/unhidra/{{ $setting }}}
        {{- end }}
      ports:
        {{- if ne .name "worker" }}
        - {name: public, containerPort: {{ eq .name "auth" | ternary 9200 9000 }}}
        {{- end }}
        {{- if and $v.acme.domains (or (eq .name "nodes") (eq .name "gateway")) }}
        - {name: http, containerPort: 9080}
        {{- end }}
        {{- if $mqtt }}
        - {name: mqtts, containerPort: 8883}
        {{- if $v.mqtt.plain }}
        - {name: mqtt, containerPort: 1883}
        {{- end }}
        {{- end }}
        - {name: operator, containerPort: 9010}
      # A start may bring a large database up to date first; a stop is told by /ready alone.
      startupProbe: {httpGet: {path: /health, port: operator}, periodSeconds: 2, failureThreshold: 900}
      livenessProbe: {httpGet: {path: /health, port: operator}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6}
      readinessProbe: {httpGet: {path: /ready, port: operator}, periodSeconds: 3, timeoutSeconds: 3, failureThreshold: 2}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      resources: {{- toYaml .values.resources | nindent 8 }}
      volumeMounts:
        - {name: data, mountPath: /data}
        {{- if $v.secrets }}
        - {name: secrets, mountPath: /run/secrets/unhidra, readOnly: true}
        {{- end }}
        {{- if $mqttTLS }}
        - {name: mqtt-tls, mountPath: /run/secrets/mqtt-tls, readOnly: true}
        {{- end }}
        {{- if $models }}
        - {name: models, mountPath: /models, readOnly: true}
        {{- end }}
  {{- if or $v.secrets $mqttTLS $models (ne $v.topology "embedded") }}
  volumes:
    {{- if ne $v.topology "embedded" }}
    - {name: data, emptyDir: {sizeLimit: {{ $v.storage.scratch }}}}
    {{- end }}
    {{- if $mqttTLS }}
    - {name: mqtt-tls, secret: {secretName: {{ $v.mqtt.tlsSecret }}, defaultMode: 0440}}
    {{- end }}
    {{- if $models }}
    - {name: models, persistentVolumeClaim: {claimName: {{ $v.models.claim }}, readOnly: true}}
    {{- end }}
    {{- if $v.secrets }}
    - name: secrets
      projected:
        defaultMode: 0440
        sources:
          {{- range $setting, $of := $v.secrets }}
          - secret: {name: {{ $of.name }}, items: [{key: {{ $of.key }}, path: {{ $setting }}}]}
          {{- end }}
    {{- end }}
  {{- end }}
{{- end }}
