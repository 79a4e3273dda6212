"""Passwords of ten characters and more that open every list of guesses. Facts of the trade, kept short on purpose."""

from __future__ import annotations

BREACHED = frozenset(
    """
    0000000000 0123456789 0987654321 1111111111 1122334455 112233445566 11223344556677 1212121212 1231231231
    123123123123 1234512345 1234567890 12345678900 1234567890q 1234567890qwe 1234567891 12345678910 123456789a
    123456789q 123456789qwe 123456qwerty 12345qwert 12345qwerty 1234qwerasdf 123qweasdzxc 12qwaszx12 147258369a
    159753159753 1a2b3c4d5e 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx3e 1qaz2wsx3edc 1qazxsw23edc 7777777777 9876543210
    987654321a aa12345678 aaaaaaaaaa abc1234567 abcd123456 abcd1234567 abcdefghij admin12345 admin123456 adminadmin
    administrator administrator1 asdasdasdasd asdfasdfasdf asdfghjkl1 asdfghjkl123 asdfghjkl; asdfghjklqwerty
    changeme12 changeme123 computer123 dragon12345 football123 gfhjkm12345 gfhjkmgfhjkm gosuslugi1 iloveyou12
    iloveyou123 iloveyou1234 letmein123 letmein1234 marina1985 master12345 michael123 monkey12345 moskva2026
    natasha123 otklik12345 otklik2026 p@ssw0rd123 p@ssword123 pa55word123 parol12345 parol123456 parolparol
    passw0rd123 passw0rd1234 password00 password01 password10 password11 password12 password123 password123!
    password1234 password12345 passwordpassword princess123 q1w2e3r4t5 q1w2e3r4t5y6 q1w2e3r4t5y6u7 qazwsxedc1
    qazwsxedc123 qazwsxedcrfv qweasdzxc1 qweasdzxc123 qwer123456 qwerasdfzxcv qwert12345 qwerty1234 qwerty12345
    qwerty123456 qwerty1234567 qwerty12345678 qwerty123456789 qwertyqwerty qwertyuiop qwertyuiop1 qwertyuiop12
    qwertyuiop123 qwertyuiop[] rossiya2026 samsung123 secret1234 sunshine123 superman123 test123456 testtest12
    unknown123 welcome123 welcome1234 welcome2024 welcome2025 welcome2026 zaq12wsxcde zaq1xsw2cde3 zxcvbnm,./
    zxcvbnm123 zxcvbnm1234 zxcvbnmasdf админ12345 администратор госуслуги1 йцукен1234 йцукен12345 йцукен123456
    йцукенгшщз йцукенгшщзхъ люблютебя любовь12345 москва2024 москва2025 москва2026 отклик12345 отклик2026 пароль1234
    пароль12345 пароль123456 парольпароль привет1234 привет12345 россия2024 россия2025 россия2026 солнышко12
    солнышко123 фывапролдж фывапролджэ ячсмитьбю
    """.split()  # noqa: SIM905 - a list of words, easier to keep this way
)
