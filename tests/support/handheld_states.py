# ruff: noqa: E501 - a table of texts in two languages
"""States of every handheld screen, as a demo ward would show them: for drawing, in both languages."""

from __future__ import annotations

from dataclasses import replace

from clinical.records import AlarmPriority, Label
from pda_app.presenters import states as s
from pda_app.presenters.states import Tone


def t(zh: str, en: str) -> Label:
    return Label(zh=zh, en=en)


STATUS = s.StatusBar(
    ward=t("演示病区", "Demo ward"), ward_code="W1", user="王丽", connection=s.Connection.ONLINE,
    data_at=t("数据 09:42", "data 09:42"), battery_percent=80, time="09:42", queued=0, returned=0, alarms=1,
    demo=True,
)  # fmt: skip
FRAME = s.AppState(screen=s.Screen.TODAY, status=STATUS, can_go_back=False)
INSIDE = replace(FRAME, can_go_back=True)
OFFLINE = replace(INSIDE, status=replace(STATUS, connection=s.Connection.OFFLINE, returned=2))

BANNER = s.PatientBanner(
    patient_id="p1", bed="12A", name="张建国", name_latin="ZHANG Jianguo", sex=t("男", "M"),
    age=t("68 岁", "68 y"), birth_date="1958-06-14", mrn="P0012345678",
)  # fmt: skip
ALLERGY = s.AllergyStrip(state="known", text=t("过敏：青霉素（皮疹）", "Allergy: penicillin (rash)"))
NO_ALLERGY = s.AllergyStrip(
    state="none", text=t("无已知过敏 · 11-20 询问本人", "No known allergies · asked 11-20")
)
NOT_ASKED = s.AllergyStrip(state="not-recorded", text=t("过敏未记录", "Allergies not recorded"))

METOPROLOL = t("琥珀酸美托洛尔缓释片", "Metoprolol succinate extended-release")
REASONS = s.ReasonSheet(
    title=t("为什么晚给？", "Why is it late?"), hint=t("必填，随记录保存", "Required, kept with the record"),
    choices=(
        s.Choice(id="exam", text=t("外出检查", "At examination")),
        s.Choice(id="wait", text=t("等待药品", "Waiting for drug")),
        s.Choice(id="patient", text=t("患者暂拒", "Patient deferred")),
        s.Choice(id="emergency", text=t("抢救其他患者", "Other emergency")),
        s.Choice(id="doctor", text=t("医生要求", "Doctor asked")),
        s.Choice(id="other", text=t("其他…", "Other…")),
    ),
)  # fmt: skip
THEOPHYLLINE = t("0.9% 氯化钠 500 mL + 氨茶碱 0.25 g", "0.9% NaCl 500 mL + Aminophylline 0.25 g")


def task(
    id_: str,
    icon: str,
    tone: Tone,
    title: Label,
    detail: Label,
    time: str,
    distance: Label,
    bed: str = "12A",
    name: str = "张建国",
) -> s.TaskRow:
    return s.TaskRow(
        task_id=id_, patient_id="p1", bed=bed, name=name, icon=icon, tone=tone, title=title, detail=detail,
        time=time, distance=distance, status="due",
    )  # fmt: skip


ROWS_1 = (
    task(
        "t1",
        "medicine",
        Tone.BAD,
        METOPROLOL,
        t("47.5 mg · 口服", "47.5 mg · oral"),
        "08:00",
        t("逾期 102 分", "102 min late"),
    ),
    task(
        "t2",
        "infusion",
        Tone.WARN,
        t("头孢曲松 2 g + 盐水 100 mL", "Ceftriaxone 2 g + saline 100 mL"),
        t("静脉滴注 · 200 mL/h", "IV infusion · 200 mL/h"),
        "09:30",
        t("剩 48 分", "48 min left"),
    ),
)
ROWS_2 = (
    task(
        "t3",
        "glucose",
        Tone.BAD,
        t("血糖测定（餐后 2 h）", "Glucose (2 h after meal)"),
        t("指尖 · 胰岛素待用", "Finger · insulin waits"),
        "09:00",
        t("逾期 12 分", "12 min late"),
        "07",
        "陈桂芳",
    ),
    task(
        "t4",
        "specimen",
        Tone.WARN,
        t("采血：血常规、BNP", "Blood: count, BNP"),
        t("紫管 2 mL · 绿管 3 mL", "Purple 2 mL · green 3 mL"),
        "09:40",
        t("现在", "now"),
        "07",
        "陈桂芳",
    ),
)
ROWS_3 = (
    task(
        "t5",
        "vitals",
        Tone.WARN,
        t("输血 15 分钟观察", "Transfusion, 15-min check"),
        t("体温 脉搏 血压 皮疹", "Temp, pulse, BP, rash"),
        "09:45",
        t("3 分后", "in 3 min"),
        "15",
        "周玉梅",
    ),
    task(
        "t6",
        "patrol",
        Tone.PLAIN,
        t("输液巡视", "Infusion round"),
        t("左前臂 · 上次 09:12", "Left forearm · last 09:12"),
        "10:12",
        t("30 分后", "in 30 min"),
        "15",
        "周玉梅",
    ),
)
COUNTERS = (
    s.Counter(id="all", count=21, text=t("全部待办", "All open"), selected=True),
    s.Counter(id="overdue", count=2, text=t("逾期", "Overdue"), tone=Tone.BAD),
    s.Counter(id="due", count=5, text=t("到点", "Due"), tone=Tone.WARN),
    s.Counter(id="done", count=23, text=t("已完成", "Done"), tone=Tone.OK),
)
TODAY = s.TodayState(
    counters=COUNTERS,
    groups=(
        s.TaskGroup(patient_id="p1", bed="12A", name="张建国", age=t("68 岁", "68 y"), rows=ROWS_1, chips=(
            s.Chip(text=t("过敏", "Allergy"), tone=Tone.WARN, icon="allergy"), s.Chip(text="NEWS 5", tone=Tone.WARN))),
        s.TaskGroup(patient_id="p2", bed="07", name="陈桂芳", age=t("81 岁", "81 y"), rows=ROWS_2, chips=(
            s.Chip(text=t("跌倒高危", "Fall risk"), tone=Tone.LOW, icon="fall"),)),
        s.TaskGroup(patient_id="p3", bed="15", name="周玉梅", age=t("63 岁", "63 y"), rows=ROWS_3, chips=(
            s.Chip(text=t("输血", "Transfusion"), tone=Tone.BAD, icon="blood"),)),
    ),
)  # fmt: skip
TODAY_BY_TIME = replace(TODAY, arrangement="time", groups=(), rows=(*ROWS_1, *ROWS_2, *ROWS_3))
UNKNOWN = tuple(replace(one, count=None) for one in COUNTERS)
TODAY_READING = s.TodayState(
    counters=UNKNOWN, empty=t("正在读取病区数据", "Reading the ward's data"), picture=s.Picture.READING
)
TODAY_SEARCH = replace(TODAY, query="zj", groups=TODAY.groups[:1])
TODAY_EMPTY = s.TodayState(counters=COUNTERS, empty=t("现在没有待办任务", "Nothing to do right now"))


def infusion(title: Label, trailing: Label, tone: Tone, share: float | None) -> s.InfusionLine:
    return s.InfusionLine(
        infusion_id="i1", title=title, trailing=trailing, tone=tone, share=share,
        site=t("左前臂 · 46 滴/分", "Left forearm · 46 gtt/min"),
        remaining=t("余 218 mL · 约 11:17 完", "218 mL left · ends 11:17"),
    )  # fmt: skip


def bed(
    number: str, name: str, who: Label, level: Label, news: int, edge: Tone = Tone.PLAIN,
    line: s.InfusionLine | None = None, next_: s.Chip | None = None, risks: tuple[str, ...] = (),
) -> s.BedCard:  # fmt: skip
    tone = Tone.BAD if news >= 7 else Tone.WARN if news >= 5 else Tone.OK if news == 0 else Tone.PLAIN
    return s.BedCard(
        bed=number, patient_id=f"p{number}", name=name, demographics=who, edge=edge, care_level=level,
        news2=s.Chip(text=f"NEWS {news}", tone=tone), infusion=line, next=next_,
        risks=tuple(s.Chip(text="", tone=Tone.WARN if r == "allergy" else Tone.LOW, icon=r) for r in risks),
    )  # fmt: skip


NO_PICTURE = t(
    "离线，本机没有病区数据。联网后自动读取",
    "Offline, and no ward data here. They are read when the network is back",
)
FIRST, SECOND, THIRD = t("一级", "Level 1"), t("二级", "Level 2"), t("三级", "Level 3")
WARD = s.WardState(
    counters=(
        s.Counter(id="all", count=8, text=t("全病区", "All"), selected=True),
        s.Counter(id="alarm", count=1, text=t("报警", "Alarm"), tone=Tone.BAD),
        s.Counter(id="infusion", count=4, text=t("输液", "Infusion")),
        s.Counter(id="overdue", count=2, text=t("逾期", "Overdue"), tone=Tone.WARN),
    ),
    cards=(
        bed("03", "李秀兰", t("女 72 · 冠心病", "F 72 · CAD"), SECOND, 1, risks=("fall",),
            line=infusion(t("硝酸甘油", "Glyceryl trinitrate"), t("余 1 h 05", "1 h 05 left"), Tone.ACT, .42),
            next_=s.Chip(text=t("10:00 巡视", "10:00 round"), icon="planned")),
        bed("05", "王志强", t("男 58 · 急性心梗", "M 58 · AMI"), FIRST, 3, edge=Tone.WARN, risks=("allergy",),
            line=infusion(t("替罗非班", "Tirofiban"), t("余 42 分", "42 min left"), Tone.ACT, .8),
            next_=s.Chip(text=t("09:50 采血 肌钙蛋白", "09:50 blood, troponin"), icon="planned")),
        bed("07", "陈桂芳", t("女 81 · 心衰", "F 81 · heart failure"), FIRST, 4, edge=Tone.WARN, risks=("fall", "pressure"),
            line=infusion(t("呋塞米", "Furosemide"), t("滴速 −38%", "rate −38%"), Tone.WARN, .3),
            next_=s.Chip(text=t("09:00 血糖 逾期", "09:00 glucose, late"), tone=Tone.BAD, icon="overdue")),
        bed("08", "刘海涛", t("男 45 · 高血压", "M 45 · hypertension"), THIRD, 0,
            next_=s.Chip(text=t("12:00 口服药", "12:00 oral drugs"), icon="planned")),
        bed("12A", "张建国", t("男 68 · 心衰 肺炎", "M 68 · HF, pneumonia"), FIRST, 10, edge=Tone.BAD, risks=("fall", "allergy"),
            line=infusion(t("氨茶碱", "Aminophylline"), t("余 1 h 35", "1 h 35 left"), Tone.ACT, .56),
            next_=s.Chip(text=t("SpO2 84% 报警中", "SpO2 84% alarm"), tone=Tone.BAD, icon="alarm")),
        s.BedCard(bed="14", demographics=t("空床", "Empty bed")),
        bed("15", "周玉梅", t("女 63 · 贫血", "F 63 · anaemia"), FIRST, 2, risks=("pressure",)),
        bed("16", "吴建平", t("男 70 · 房颤", "M 70 · AF"), SECOND, 1, risks=("fasting",)),
    ),
)  # fmt: skip

WARD_MISSING = s.WardState(
    counters=tuple(replace(one, count=None) for one in WARD.counters), empty=NO_PICTURE, picture=s.Picture.MISSING,
)  # fmt: skip

PATIENT = s.PatientState(
    banner=BANNER, allergy=ALLERGY, resuscitation=s.Msg("resuscitation.end"),
    chips=(
        s.Chip(text=s.Msg.of("resuscitation.until", time="10:12"), tone=Tone.BAD),
        s.Chip(text=t("一级护理", "Care level 1")), s.Chip(text=t("跌倒 Morse 55", "Fall, Morse 55"), tone=Tone.LOW, icon="fall"),
        s.Chip(text=t("压疮 15", "Pressure 15"), tone=Tone.LOW, icon="pressure"),
    ),
    vitals_note=t("09:41 监护仪", "09:41 monitor"),
    vitals=(
        s.VitalTile(code="pr", label=t("脉搏", "Pulse"), value="96", unit=t("次/分", "/min"), at="09:41"),
        s.VitalTile(code="bp", label=t("血压", "BP"), value="138/82", unit="mmHg", at="09:40"),
        s.VitalTile(code="spo2", label=t("血氧", "SpO2"), value="93", unit="%", at="09:41", tone=Tone.WARN, trend="down"),
        s.VitalTile(code="rr", label=t("呼吸", "Resp"), value="22", unit=t("次/分", "/min"), at="09:40", tone=Tone.WARN, trend="up"),
        s.VitalTile(code="temp", label=t("体温", "Temp"), value="37.8", unit="℃", at="08:30"),
        s.VitalTile(code="news2", label="NEWS2", value="5", unit=t("须报医生", "tell doctor"), at="09:40", tone=Tone.WARN),
    ),
    infusions=(infusion(t("氨茶碱 0.25 g + 盐水 500 mL", "Aminophylline 0.25 g + saline 500 mL"), t("快 15%", "15% fast"), Tone.WARN, .56),),
    tasks=ROWS_1,
)  # fmt: skip

CURVE = s.Curve(
    volume_ml=500, end_minute=250, now_minute=122,
    measured=(tuple(s.CurvePoint(minute=m, ml=500 - 2.0 * m - .0025 * m * m) for m in range(0, 123, 6)),),
    ordered=(s.CurvePoint(minute=0, ml=500), s.CurvePoint(minute=250, ml=0)),
    forecast=(s.CurvePoint(minute=122, ml=218), s.CurvePoint(minute=217, ml=0)),
    rounds=(s.CurvePoint(minute=44, ml=407),),
    ticks=((20, "08:00"), (80, "09:00"), (140, "10:00"), (200, "11:00")),
)  # fmt: skip
ROUND = s.RoundState(
    infusion_id="i1", banner=BANNER, allergy=ALLERGY, live=s.Chip(text=t("床旁实时", "live"), tone=Tone.OK, icon="live"),
    title=THEOPHYLLINE, detail=t("静脉滴注 · 20 滴/mL · 07:40 开始 · 传感器 D-0412", "IV infusion · 20 gtt/mL · since 07:40 · sensor D-0412"),
    instruction=t("心率 >120 停用并呼叫我", "Stop and call me if HR >120"),
    rate=s.RatePair(
        ordered_gtt_min="40", ordered_ml_h="120", measured_gtt_min="46", measured_ml_h="138", window=t("近 9 滴", "9 drops"),
        deviation=s.Deviation(tone=Tone.WARN, arrow="up", percent="+15%", word=t("偏快", "fast")),
    ),
    remaining_ml="218", volume_ml="500", time_left="1 h 35", end_at=t("11:17 完（计划 11:50）", "ends 11:17 (planned 11:50)"),
    curve=CURVE,
    sites=tuple(
        s.Choice(id=id_, text=t(zh, en), selected=id_ == "normal")
        for id_, zh, en in (
            ("normal", "正常", "Normal"), ("redness", "红肿", "Redness"), ("swelling", "肿胀", "Swelling"), ("leak", "渗漏", "Leak"),
            ("pain", "疼痛", "Pain"), ("blocked", "堵塞", "Blocked"), ("other", "其他", "Other"),
        )
    ),
    secondary=s.Button(text=t("结束输液", "Finish"), icon="stop"), primary=s.Button(text=t("记录巡视", "Record round"), icon="GIVE"),
)  # fmt: skip
ROUND_MATCHES = replace(
    ROUND, instruction="", allergy=NO_ALLERGY,
    rate=replace(ROUND.rate, measured_gtt_min="41", measured_ml_h="123",
                 deviation=s.Deviation(tone=Tone.OK, arrow="", percent="+2%", word=t("相符", "matches"))),
)  # fmt: skip
ROUND_STOPPED = replace(
    ROUND, live=s.Chip(text=t("无实时数据 · 末次 09:20", "no live data · last 09:20"), tone=Tone.WARN, icon=""),
    rate=replace(ROUND.rate, measured_gtt_min="", measured_ml_h="",
                 deviation=s.Deviation(tone=Tone.BAD, arrow="", percent="0%", word=t("停滴", "no flow"))),
    message=t("已记录", "Recorded"), message_tone=Tone.OK,
)  # fmt: skip
FINISH = replace(
    ROUND,
    sheet=s.FinishSheet(
        modes=(
            s.Choice(id="complete", text=t("输完", "Complete"), selected=True),
            s.Choice(id="pause", text=t("暂停", "Pause")),
            s.Choice(id="stop-early", text=t("提前停", "Stop early")),
        ),
        residual_ml="5", residual_error="", reasons=replace(REASONS, title=t("原因", "Reason"), hint=""),
        record=s.Button(text=t("记录结束", "Record the end"), icon="GIVE", tone=Tone.ACT),
    ),
)  # fmt: skip

ALARM = s.AlarmView(
    alarm_id="a1", priority=AlarmPriority.HIGH, head=t("高级报警", "High alarm"), stars=3, bed="12A", name="张建国",
    demographics=t("男 · 68 岁 · 心衰 肺炎", "M · 68 y · HF, pneumonia"), cause=t("血氧过低 SpO2", "SpO2 low"), value="84", unit="%",
    limit=t("低于 90% 已 42 秒", "below 90% for 42 s"), age="00:42",
    note=t("辅助提醒，以床旁监护仪报警为准", "Secondary display: the bedside monitor's alarm decides"),
    countdown=t("18 秒后通知护士长、医生", "In 18 s: charge nurse, doctor will be told"),
    escalation=t("已通知 下一位护士", "Told: next nurse"),
    trend=s.Trend(
        minutes=6, low=70, high=100, limit=90, side="low", ticks=("09:36", "09:42"),
        lines=(
            tuple(s.TrendPoint(minute=-6 + i / 20, value=96 - (i % 5) * .4) for i in range(60)),
            tuple(s.TrendPoint(minute=-2.4 + i / 20, value=95 - i * .22) for i in range(49)),
        ),
    ),
    neighbours=(
        s.VitalTile(code="pr", label=t("脉率", "Pulse"), value="118", unit=t("次/分", "/min"), at="09:42", tone=Tone.WARN),
        s.VitalTile(code="rr", label=t("呼吸", "Resp"), value="28", unit=t("次/分", "/min"), at="09:40"),
        s.VitalTile(code="bp", label=t("收缩压", "Systolic"), value="142", unit="mmHg", at="09:40"),
    ),
)  # fmt: skip
QUEUED = s.AlarmRow(
    alarm_id="a2", priority=AlarmPriority.MEDIUM, tone=Tone.WARN, bed="16", text=t("输液将完，余 6 mL", "Infusion near end, 6 mL left"), at="09:41",
)  # fmt: skip
ALARMS = s.AlarmsState(
    current=ALARM, queue=(QUEUED,),
    acknowledge=s.Button(text=t("我去处理", "I'll go"), icon="go"), mute=s.Button(text=t("静音 2 分", "Sound off 2 min"), icon="sound-off"),
    rows=(
        s.AlarmRow(alarm_id="a1", priority=AlarmPriority.HIGH, tone=Tone.BAD, bed="12A", text=t("血氧过低 84%", "SpO2 low, 84%"), at="09:41"),
        QUEUED,
        s.AlarmRow(alarm_id="a3", priority=AlarmPriority.LOW, tone=Tone.LOW, bed="07", text=t("设备电量低：D-0412", "Device battery low: D-0412"), at="09:12", about=THEOPHYLLINE,
                   acknowledged=t("王丽 09:14 已处理", "Wang Li has it, 09:14")),
    ),
)  # fmt: skip
ALARM_FLOW = replace(
    ALARMS,
    current=replace(
        ALARM, priority=AlarmPriority.MEDIUM, head=t("中级报警", "Medium alarm"), stars=2, cause=t("滴速偏快", "Drip too fast"), value="54",
        unit=t("滴/分", "gtt/min"), limit=t("医嘱 40 滴/分", "ordered 40 gtt/min"), age="01:10",
        about=THEOPHYLLINE, trend=replace(ALARM.trend, low=30, high=60, limit=40, side="", lines=(tuple(s.TrendPoint(minute=-5 + i / 4, value=41 + i * .65) for i in range(21)),)),
        neighbours=(s.VitalTile(code="remaining", label=t("剩余", "Left"), value="218", unit="mL", at="09:42"), ALARM.neighbours[0]),
        countdown=t("110 秒后通知下一位护士", "In 110 s: next nurse will be told"), escalation="",
    ),
    queue=(),
)  # fmt: skip

UPLOADS = s.UploadsState(
    counters=(
        s.Counter(id="returned", count=2, text=t("需处理", "To answer"), selected=True, tone=Tone.BAD),
        s.Counter(id="queued", count=6, text=t("待上传", "To upload")),
        s.Counter(id="confirmed", count=31, text=t("已确认", "Confirmed")),
    ),
    note=t("离线 · 病区数据截至 09:21", "Offline · ward data as of 09:21"),
    note_detail=t("21 分钟前；可继续核对和记录，2 小时后须联网", "21 min ago; you can go on, connect within 2 hours"), note_tone=Tone.WARN,
    cards=(
        s.OutcomeCard(event_id="e1", tone=Tone.BAD, icon="STOP", title=t("医嘱已停，药已给", "Order stopped, drug given"), bed="05",
                      facts=t("王志强 · 低分子肝素 4000 IU，你 09:12 记录已给", "王志强 · LMWH 4000 IU, you recorded it as given at 09:12"),
                      system=t("医生 09:05 停止。记录已保存并标记，李明远已收到提醒", "Stopped by the doctor at 09:05. Your record is kept and flagged"),
                      answers=(s.Choice(id="note", text=t("填写说明", "Add a note"), tone=Tone.ACT), s.Choice(id="call", text=t("呼叫医生", "Call doctor")))),
        s.OutcomeCard(event_id="e2", tone=Tone.WARN, icon="duplicate", title=t("同一次给药有两条记录", "One dose, two records"), bed="03",
                      facts=t("李秀兰 · 阿司匹林 100 mg：你 09:10，陈静 09:08", "李秀兰 · aspirin 100 mg: you 09:10, Chen Jing 09:08"),
                      system=t("两条都保存。请与陈静当面核对实际给了几次", "Both are kept. Find out with Chen Jing how often it was given"),
                      answers=(s.Choice(id="once", text=t("只给了 1 次", "Given once")), s.Choice(id="twice", text=t("给了 2 次", "Given twice")))),
    ),
    queue=(
        s.UploadRow(event_id="e3", icon="medicine", title=t("12A 张建国 · 给药", "12A 张建国 · dose"), detail=t("呋塞米片 20 mg · 离线核对", "Furosemide 20 mg · checked offline"), at="09:38"),
        s.UploadRow(event_id="e4", icon="infusion", title=t("03 李秀兰 · 输液巡视", "03 李秀兰 · round"), detail=t("硝酸甘油 10 mL/h · 部位正常", "Glyceryl trinitrate 10 mL/h · site normal"), at="09:33"),
    ),
)  # fmt: skip

PERSON = s.PersonCard(
    badge="N20713",
    name="王丽",
    role=t("主管护师", "Senior nurse"),
    initial="王",
    note=t("工号 N20713", "No. N20713"),
)
RECENT = (
    s.RecentPerson(badge="N1", name="陈静", initial="陈", when="07:58"),
    s.RecentPerson(badge="N2", name="刘洋", initial="刘", when="11-24"),
    s.RecentPerson(badge="N3", name="赵晓梅", initial="赵", when="11-24"),
)
SIGN_IN = s.SignInState(
    step="pin", handheld="PDA-5B-07", ward=t("演示病区", "Demo ward"), person=PERSON, digits=4, recent=RECENT
)
SIGN_IN_BADGE = replace(SIGN_IN, step="badge", person=None, digits=0)
SIGN_IN_WRONG = replace(
    SIGN_IN,
    digits=0,
    message=t("PIN 不对，还可以试 3 次", "Wrong PIN, 3 tries left"),
    message_tone=Tone.BAD,
    offline=True,
)
QUESTION = s.Dialog(
    id="leave", title=t("离开这次核对？", "Leave this check?"),
    text=t("已扫描的内容会丢弃，不会记录。", "What was scanned is dropped; nothing is recorded."),
    answers=(s.Choice(id="stay", text=t("继续核对", "Go on checking"), tone=Tone.ACT), s.Choice(id="leave", text=t("离开", "Leave"))),
)  # fmt: skip
SCAN_SHEET = s.ScanSheet(
    typed="", reasons=(
        s.Choice(id="damaged", text=t("条码破损", "Barcode damaged")), s.Choice(id="missing", text=t("没有条码", "No barcode")),
        s.Choice(id="reader", text=t("扫描头故障", "Reader broken")), s.Choice(id="other", text=t("其他", "Other")),
    ),
    error=t("号码校验不对，请再看一遍", "The check digit does not fit, look again"),
    enter=s.Button(text=t("使用此号码", "Use this number"), enabled=False, missing=t("请选原因", "Choose a reason")),
)  # fmt: skip
TOAST = s.Toast(text=t("已记录 · 已存本机", "Recorded · kept here"), tone=Tone.OK, icon="GIVE")
