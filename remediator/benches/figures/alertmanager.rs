//! Alertmanager's side: bodies as version "4" has them, over connections that are kept open.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// Modules of each host.
pub(crate) const MODULES: u32 = 10;

/// A body about the modules `numbers`, counted through all hosts.
pub(crate) fn body(numbers: impl Iterator<Item = u32>, starts_at: &str) -> Vec<u8> {
    let alerts: Vec<Value> = numbers.map(|number| alert(number, starts_at)).collect();
    let body = json!({
        "version": "4",
        "groupKey": "{}/{recovery=\"vcm\"}:{alertname=\"VcmFailed\"}",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "vcm-remediator",
        "groupLabels": { "alertname": "VcmFailed" },
        "commonLabels": { "alertname": "VcmFailed", "severity": "critical" },
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example:9093",
        "alerts": alerts,
    });
    serde_json::to_vec(&body).unwrap()
}

/// About 1 kB, as alerts with a few labels and two sentences of annotations are.
fn alert(number: u32, starts_at: &str) -> Value {
    let host = format!("tenant-{}", number / MODULES);
    json!({
        "status": "firing",
        "labels": {
            "alertname": "VcmFailed",
            "cluster": "production-eu-central",
            "esn": esn(number),
            "host": host,
            "hsm": format!("hsm-{}", number % 40),
            "instance": format!("{host}.tenants.example:9808"),
            "job": "vcm-exporter",
            "module": (number % MODULES + 1).to_string(),
            "recovery": "vcm",
            "severity": "critical",
        },
        "annotations": {
            "summary": format!("VCM {} of {host} is failed", number % MODULES + 1),
            "description": "The module has reported the state failed for more than two minutes. \
                            Applications on this host that use its keys get errors until it is \
                            operational again; the remediator retries it once the network and the \
                            load of its HSM permit.",
            "runbook_url": "https://runbooks.example/vcm/VcmFailed",
        },
        "startsAt": starts_at,
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example:9090/graph?g0.expr=vcm_module_state%7Bstate%3D%22failed%22%7D+%3D%3D+1&g0.tab=1",
        "fingerprint": format!("{number:016x}"),
    })
}

/// The ESN of a module in the inventory.
pub(crate) fn esn(number: u32) -> String {
    format!("{:04X}-{:04X}-D947", number / 0x10000 + 1, number % 0x10000)
}

/// A connection to the webhook.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Comes back when the answer is there, which must be 200.
    pub(crate) async fn post(&mut self, body: &[u8]) -> String {
        let length = body.len();
        let head = format!(
            "POST /api/v1/alerts/webhook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        self.exchange(head, body).await
    }

    /// The body of the answer to a GET.
    pub(crate) async fn get(&mut self, path: &str) -> String {
        self.exchange(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"), &[])
            .await
    }

    async fn exchange(&mut self, head: String, body: &[u8]) -> String {
        let mut request = head.into_bytes();
        request.extend_from_slice(body);
        self.stream.write_all(&request).await.unwrap();
        let mut status = String::new();
        self.stream.read_line(&mut status).await.unwrap();
        let mut length = None;
        loop {
            let line = self.line().await;
            if let Some(value) = line.strip_prefix("content-length:") {
                length = Some(value.trim().parse().unwrap());
            }
            if line.is_empty() {
                break;
            }
        }
        let mut answer = Vec::new();
        match length {
            Some(length) => self.append(length, &mut answer).await,
            None => while self.chunk(&mut answer).await {},
        }
        let answer = String::from_utf8(answer).unwrap();
        assert!(status.starts_with("HTTP/1.1 200"), "{status}{answer}");
        answer
    }

    /// Reads a chunk of an answer that is made while it is sent; whether there is another.
    async fn chunk(&mut self, answer: &mut Vec<u8>) -> bool {
        let length = usize::from_str_radix(&self.line().await, 16).unwrap();
        self.append(length, answer).await;
        self.line().await;
        length > 0
    }

    async fn append(&mut self, length: usize, answer: &mut Vec<u8>) {
        let known = answer.len();
        answer.resize(known + length, 0);
        self.stream.read_exact(&mut answer[known..]).await.unwrap();
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.unwrap();
        line.trim().to_ascii_lowercase()
    }
}
