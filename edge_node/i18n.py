"""What a person reads about a node, in both languages: why it is not connected, what ails it."""

from __future__ import annotations

from clinical.records import Label

REASONS: dict[str, Label] = {
    "starting": Label(zh="正在启动", en="starting"),
    "connection-lost": Label(
        zh="与消息服务器的连接中断，正在重连", en="the connection to the broker was lost; trying again"
    ),
    "broker-unreachable": Label(
        zh="连接不到消息服务器，请检查网络和地址", en="the broker does not answer; check network and address"
    ),
    "broker-silent": Label(zh="消息服务器没有应答", en="the broker accepted the line but did not answer"),
    "broker-certificate": Label(
        zh="消息服务器的证书不可信，请检查根证书文件和主机名",
        en="the broker's certificate is not trusted; check the authority file and the host name",
    ),
    "tls-handshake": Label(zh="无法建立加密连接", en="no encrypted connection could be made"),
    "certificate-refused": Label(
        zh="消息服务器拒绝了本节点的证书，请确认证书由本院签发且未吊销",
        en="the broker refused this node's certificate; is it the hospital's, and not revoked?",
    ),
    "certificate-name": Label(
        zh="证书上的名称不是本节点的编号", en="the certificate does not carry this node's id"
    ),
    "certificate-expired": Label(
        zh="本节点的证书已过期，请续签", en="this node's certificate has expired; renew it"
    ),
    "certificate-not-yet-valid": Label(
        zh="本节点的证书尚未生效，请检查时钟", en="this node's certificate is not valid yet; check the clock"
    ),
    "certificate-foreign": Label(
        zh="本节点的证书不是由所配置的机构签发",
        en="this node's certificate is not from the authority that is set",
    ),
    "tls-file-missing": Label(zh="证书或密钥文件缺失", en="a certificate or key file is missing"),
    "tls-key-pair": Label(zh="证书与私钥不匹配", en="certificate and private key do not belong together"),
    "tls-ca": Label(zh="根证书文件无效", en="the authority file holds no certificate"),
    "tls-certificate": Label(zh="证书文件无法读取", en="the certificate file cannot be read"),
    "not-authorised": Label(zh="消息服务器不允许本节点接入", en="the broker does not allow this node"),
    "connection-refused": Label(zh="消息服务器拒绝连接", en="the broker refused the connection"),
    "radio-unavailable": Label(zh="蓝牙不可用，请检查适配器", en="no Bluetooth; check the adapter"),
    "radio-restarted": Label(zh="蓝牙已重新启动", en="Bluetooth was restarted"),
    "scanner-silent": Label(
        zh="蓝牙长时间没有收到信号，已重启扫描", en="nothing heard for a while; scanning anew"
    ),
    "outbox-full": Label(
        zh="存储已满：新的测量值无法保存，报警仍会保存",
        en="storage is full: new readings cannot be kept, alarms still are",
    ),
    "publish-refused": Label(zh="消息服务器拒收消息", en="the broker refuses messages of this node"),
    "profile-ambiguous": Label(
        zh="有多个设备描述同样适用于该设备，未使用；请指定其中一个",
        en="several profiles claim this device equally, so it is not used; bind it to one of them",
    ),
    "wrong-serial": Label(
        zh="设备序列号与登记的不符，已拒绝使用", en="the device's serial number is not the bound one; refused"
    ),
    "not-bonded": Label(zh="设备尚未与本节点配对", en="the device is not paired with this node"),
    "pairing-failed": Label(zh="与设备配对失败", en="pairing with the device failed"),
    "wrong-device": Label(
        zh="该地址上的设备不是所登记的型号", en="what answers at this address is not the bound model"
    ),
    "wrong-model": Label(
        zh="设备的型号或固件版本与登记的不符，已拒绝使用",
        en="the device's model or firmware is not the one its profile is for; refused",
    ),
    "no-answer": Label(
        zh="设备没有回答询问，请检查线缆、电源和通信设置",
        en="the device does not answer; check cable, power and its communication settings",
    ),
    "records-timeout": Label(
        zh="设备没有传完存储的记录", en="the device did not finish sending its stored records"
    ),
    "records-refused": Label(zh="设备拒绝传送存储的记录", en="the device refused to send its stored records"),
    "clock-unset": Label(zh="时钟未设置", en="the clock is not set"),
}


def reason(code: str) -> dict[str, str]:
    """A reason code in both languages; an unknown code stands for itself."""
    label = REASONS.get(code)
    return {"zh": label.zh, "en": label.en} if label else {"zh": code, "en": code}
