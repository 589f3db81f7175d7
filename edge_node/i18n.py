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
    "link-lost": Label(zh="与设备的连接中断", en="the link to the device was lost"),
    "device-gone": Label(zh="设备已不在范围内", en="the device went out of range"),
    "radio-busy": Label(zh="蓝牙正忙，稍后重试", en="Bluetooth is busy; trying again"),
    "connect-timeout": Label(
        zh="设备没有及时应答连接", en="the device did not answer the connection in time"
    ),
    "connect-failed": Label(
        zh="无法连接设备，正在重试", en="the device could not be connected; trying again"
    ),
    "bus-closed": Label(zh="蓝牙服务中断", en="the Bluetooth service closed the connection"),
    "bluetooth-daemon-gone": Label(zh="蓝牙服务已停止", en="the Bluetooth service stopped"),
    "radio-off": Label(zh="蓝牙适配器已关闭", en="the Bluetooth adapter was switched off"),
    "quiet": Label(zh="设备已连接但不再发送数据", en="the device is connected but says nothing any more"),
    "done": Label(zh="设备已传完全部数据", en="the device has sent all it had"),
    "overrun": Label(zh="设备数据过多，已重新连接", en="more data than can be read; connecting anew"),
    "unplugged": Label(zh="设备线缆已拔出", en="the cable is unplugged"),
    "replugged": Label(zh="设备线缆已重新插入，重新开始", en="the cable was plugged in again; starting anew"),
    "open-failed": Label(
        zh="串口无法打开，请检查权限和占用",
        en="the serial port cannot be opened; is it in use or not allowed?",
    ),
    "not-found": Label(zh="一直没有找到该设备", en="the device was never found"),
    "part-failed": Label(zh="程序内部错误，已重新开始", en="a fault inside the program; started anew"),
}


def reason(code: str) -> dict[str, str]:
    """A reason code in both languages; an unknown code stands for itself."""
    label = REASONS.get(code)
    return {"zh": label.zh, "en": label.en} if label else {"zh": code, "en": code}
