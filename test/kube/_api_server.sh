# shellcheck shell=bash
# Starting and feeding the API server of the tests. Who sources it has WORK, a directory, PYTHON,
# and PIDS, the processes that end with the test.

KUBE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export KUBE_CONTROL=$WORK/api.sock

# A certificate authority, and what it says of the server and of a client, in $WORK/tls. The
# server's names are those addresses and localhost.
make_certificates() { # ADDRESS…
    local tls=$WORK/tls names
    names=DNS:localhost$(printf ',IP:%s' "$@")
    mkdir -p "$tls"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
        -subj "/CN=test authority" -keyout "$tls/ca.key" -out "$tls/ca.crt" 2>/dev/null &&
    sign_certificate server "/CN=api" "subjectAltName=$names" &&
    sign_certificate client "/O=system:nodes/CN=lbd" "extendedKeyUsage=clientAuth"
}

sign_certificate() { # NAME SUBJECT EXTENSION
    local tls=$WORK/tls
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" \
        -keyout "$tls/$1.key" -out "$tls/$1.csr" 2>/dev/null &&
    openssl x509 -req -in "$tls/$1.csr" -CA "$tls/ca.crt" -CAkey "$tls/ca.key" -days 2 \
        -CAcreateserial -extfile <(echo "$3") -out "$tls/$1.crt" 2>/dev/null &&
    chmod 644 "$tls/$1.key"
}

# A token is asked for, or a certificate; another port each time unless told.
api_server_start() { # OPTION…
    rm -f "$WORK/api.port" "$KUBE_CONTROL"
    "${API_ENTER[@]}" "$PYTHON" "$KUBE/api_server.py" --control "$KUBE_CONTROL" \
        --port-file "$WORK/api.port" "$@" >>"$WORK/api.log" 2>&1 &
    API_PID=$!
    PIDS+=("$API_PID")
    within 10 test -s "$WORK/api.port" && API_PORT=$(<"$WORK/api.port")
}

API_ENTER=() # words before the server: where it runs
export API_PORT=

api_server_stop() {
    {
        kill -9 "$API_PID"
        wait "$API_PID"
    } 2>/dev/null
}

# A kubeconfig for the server at that address: as the token's bearer or by the certificate.
write_kubeconfig() { # FILE ADDRESS token|certificate
    local user="tokenFile: $WORK/tls/token"
    [ "$3" = certificate ] && user="client-certificate: $WORK/tls/client.crt
    client-key: $WORK/tls/client.key"
    cat >"$1" <<END
apiVersion: v1
kind: Config
current-context: test
clusters:
- name: test
  cluster:
    server: https://$2
    certificate-authority: $WORK/tls/ca.crt
users:
- name: test
  user:
    $user
contexts:
- name: test
  context: {cluster: test, user: test}
END
}

kubectl() {
    "$PYTHON" "$KUBE/kubectl.py" "$@"
}
