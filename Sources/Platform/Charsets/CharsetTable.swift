// SPDX-License-Identifier: Apache-2.0

/// The closed table behind ``Charset``.
enum CharsetTable {
    struct Row: Sendable {
        let name: String
        let labels: [String]
        let method: Charset.Method

        init(_ name: String, _ method: Charset.Method, _ labels: String) {
            self.name = name
            self.method = method
            self.labels = labels.split(separator: " ").map(String.init)
        }

        init(_ name: String, icu: String, _ labels: String) { self.init(name, .converter(icu), labels) }
    }

    /// The first three have constants in ``Charset``; the order of the others means nothing.
    static let rows: [Row] =
        [
            Row(
                "utf-8",
                .utf8,
                "utf-8 utf8 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8 utf-8mb4 cp65001 x-unknown-utf-8"
            ),
            // US-ASCII proper is the same in all of them; what claims to be ASCII and is not, is read as unlabelled text is.
            Row(
                "us-ascii",
                .guess,
                "us-ascii ascii ansi_x3.4-1968 ansi_x3.4-1986 iso-ir-6 iso_646.irv:1991 iso646-us us cp367 ibm367 csascii unknown-8bit x-unknown unknown 8bit 7bit default none"
            ),
            Row(
                "windows-1252",
                .table(SingleOctetTables.windows1252),
                "windows-1252 cp1252 x-cp1252 ansi latin1 l1 iso-8859-1 iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 iso-ir-100 cp819 ibm819 csisolatin1 latin-1 iso-latin-1 8859-1 iso8859_1 windows1252 win-1252 x-ansi iso-8859-1-windows-3.1-latin-1"
            ),
            Row(
                "iso-8859-16",
                .table(SingleOctetTables.iso8859x16),
                "iso-8859-16 iso8859-16 iso_8859-16 iso-ir-226 latin10 l10 csiso885916"
            ),
        ] + unicode + european + eastAsian

    private static let unicode = [
        Row("utf-16le", icu: "UTF-16LE", "utf-16le csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff ucs-2le"),
        Row("utf-16be", icu: "UTF-16BE", "utf-16be unicodefffe ucs-2be"),
        Row("utf-16", icu: "UTF-16", "utf-16 utf16 csutf16"),
        Row("utf-32", icu: "UTF-32", "utf-32 utf32 ucs-4 iso-10646-ucs-4 csutf32"),
        Row("utf-32le", icu: "UTF-32LE", "utf-32le"),
        Row("utf-32be", icu: "UTF-32BE", "utf-32be"),
        Row(
            "utf-7",
            icu: "UTF-7",
            "utf-7 utf7 unicode-1-1-utf-7 csunicode11utf7 x-unicode-1-1-utf-7 x-unicode-2-0-utf-7 unicode-2-0-utf-7"
        ),
        Row("cesu-8", icu: "CESU-8", "cesu-8 cscesu-8"),
    ]

    private static let european = [
        Row(
            "iso-8859-2",
            icu: "ISO-8859-2",
            "iso-8859-2 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 iso-ir-101 csisolatin2 l2 latin2"
        ),
        Row(
            "iso-8859-3",
            icu: "ISO-8859-3",
            "iso-8859-3 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 iso-ir-109 csisolatin3 l3 latin3"
        ),
        Row(
            "iso-8859-4",
            icu: "ISO-8859-4",
            "iso-8859-4 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 iso-ir-110 csisolatin4 l4 latin4"
        ),
        Row(
            "iso-8859-5",
            icu: "ISO-8859-5",
            "iso-8859-5 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988 iso-ir-144 csisolatincyrillic cyrillic"
        ),
        Row(
            "iso-8859-6",
            icu: "ISO-8859-6",
            "iso-8859-6 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987 iso-8859-6-e iso-8859-6-i csiso88596e csiso88596i iso-ir-127 csisolatinarabic arabic asmo-708 ecma-114"
        ),
        Row(
            "iso-8859-7",
            icu: "ibm-9005_X110-2007",
            "iso-8859-7 iso8859-7 iso88597 iso_8859-7 iso_8859-7:1987 iso-ir-126 csisolatingreek greek greek8 ecma-118 elot_928 sun_eu_greek"
        ),
        Row(
            "iso-8859-8",
            icu: "ISO-8859-8",
            "iso-8859-8 iso8859-8 iso88598 iso_8859-8 iso_8859-8:1988 iso-8859-8-e iso-8859-8-i csiso88598e csiso88598i iso-ir-138 csisolatinhebrew hebrew visual logical"
        ),
        Row(
            "iso-8859-10",
            icu: "iso-8859_10-1998",
            "iso-8859-10 iso8859-10 iso885910 iso-ir-157 csisolatin6 l6 latin6"
        ),
        Row("iso-8859-13", icu: "ISO-8859-13", "iso-8859-13 iso8859-13 iso885913"),
        Row("iso-8859-14", icu: "iso-8859_14-1998", "iso-8859-14 iso8859-14 iso885914"),
        Row(
            "iso-8859-15",
            icu: "ISO-8859-15",
            "iso-8859-15 iso8859-15 iso885915 iso_8859-15 csisolatin9 l9 latin9 latin-9"
        ),
        Row("koi8-r", icu: "KOI8-R", "koi8-r koi koi8 koi8_r cskoi8r cp878"),
        Row("koi8-u", icu: "KOI8-U", "koi8-u koi8-ru"),
        Row("macintosh", icu: "macos-0_2-10.2", "macintosh mac x-mac-roman csmacintosh macroman"),
        Row("x-mac-cyrillic", icu: "macos-7_3-10.2", "x-mac-cyrillic x-mac-ukrainian mac-cyrillic"),
        Row("x-mac-greek", icu: "macos-6_2-10.4", "x-mac-greek"),
        Row("x-mac-ce", icu: "macos-29-10.2", "x-mac-ce x-mac-centraleurroman"),
        Row("x-mac-turkish", icu: "macos-35-10.2", "x-mac-turkish"),
        Row(
            "windows-874",
            icu: "windows-874-2000",
            "windows-874 dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 tis620 cp874"
        ),
        Row("windows-1250", icu: "ibm-5346_P100-1998", "windows-1250 cp1250 x-cp1250 win-1250"),
        Row("windows-1251", icu: "ibm-5347_P100-1998", "windows-1251 cp1251 x-cp1251 win-1251 windows1251"),
        Row("windows-1253", icu: "ibm-5349_P100-1998", "windows-1253 cp1253 x-cp1253"),
        Row(
            "windows-1254",
            icu: "ibm-5350_P100-1998",
            "windows-1254 cp1254 x-cp1254 iso-8859-9 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 iso-ir-148 csisolatin5 l5 latin5"
        ),
        Row("windows-1255", icu: "ibm-9447_P100-2002", "windows-1255 cp1255 x-cp1255"),
        Row("windows-1256", icu: "ibm-9448_X100-2005", "windows-1256 cp1256 x-cp1256"),
        Row("windows-1257", icu: "ibm-9449_P100-2002", "windows-1257 cp1257 x-cp1257"),
        Row("windows-1258", icu: "ibm-5354_P100-1998", "windows-1258 cp1258 x-cp1258"),
        Row("ibm437", icu: "ibm-437_P100-1995", "ibm437 cp437 437 cspc8codepage437"),
        Row("ibm737", icu: "ibm-737_P100-1997", "ibm737 cp737"),
        Row("ibm775", icu: "ibm-775_P100-1996", "ibm775 cp775"),
        Row("ibm850", icu: "ibm-850_P100-1995", "ibm850 cp850 850 cspc850multilingual"),
        Row("ibm852", icu: "ibm-852_P100-1995", "ibm852 cp852 852 cspcp852"),
        Row("ibm855", icu: "ibm-855_P100-1995", "ibm855 cp855 855"),
        Row("ibm857", icu: "ibm-857_P100-1995", "ibm857 cp857 857"),
        Row("ibm858", icu: "ibm-858_P100-1997", "ibm858 ibm00858 cp858 cp00858"),
        Row("ibm860", icu: "ibm-860_P100-1995", "ibm860 cp860 860"),
        Row("ibm861", icu: "ibm-861_P100-1995", "ibm861 cp861 861"),
        Row("ibm862", icu: "ibm-862_P100-1995", "ibm862 cp862 862 dos-862"),
        Row("ibm863", icu: "ibm-863_P100-1995", "ibm863 cp863 863"),
        Row("ibm865", icu: "ibm-865_P100-1995", "ibm865 cp865 865"),
        Row("ibm866", icu: "ibm-866_P100-1995", "ibm866 cp866 866 csibm866"),
        Row("ibm869", icu: "ibm-869_P100-1995", "ibm869 cp869 869"),
    ]

    private static let eastAsian = [
        Row(
            "gb18030",
            icu: "gb18030",
            "gb18030 gbk x-gbk cp936 ms936 windows-936 gb2312 gb_2312 gb_2312-80 gb2312-80 csgb2312 csiso58gb231280 chinese iso-ir-58 euc-cn x-euc-cn cn-gb gb2312.1980-0"
        ),
        Row(
            "big5",
            icu: "ibm-1375_P100-2008",
            "big5 big5-hkscs cn-big5 csbig5 x-x-big5 big-5 big5hkscs cp950 windows-950 x-big5"
        ),
        Row("euc-tw", icu: "euc-tw-2014", "euc-tw x-euc-tw cns11643"),
        Row(
            "euc-jp",
            icu: "euc-jp-2007",
            "euc-jp x-euc-jp x-euc eucjp ujis cseucpkdfmtjapanese extended_unix_code_packed_format_for_japanese"
        ),
        Row(
            "shift_jis",
            icu: "ibm-943_P15A-2003",
            "shift_jis shift-jis sjis x-sjis csshiftjis ms_kanji ms932 windows-31j cswindows31j cp932 windows-932"
        ),
        Row(
            "iso-2022-jp",
            icu: "ISO_2022,locale=ja,version=4",
            "iso-2022-jp csiso2022jp iso-2022-jp-1 iso-2022-jp-2 csiso2022jp2 iso-2022-jp-3 iso-2022-jp-ms cp50220 cp50221 cp50222 jis jis_encoding x-windows-iso2022jp"
        ),
        Row(
            "euc-kr",
            icu: "windows-949-2000",
            "euc-kr euckr cseuckr ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 ks_c_5601 csksc56011987 korean iso-ir-149 windows-949 cp949 ms949 uhc x-windows-949"
        ),
        Row("iso-2022-kr", icu: "ISO-2022-KR", "iso-2022-kr csiso2022kr"),
        Row("iso-2022-cn", icu: "ISO-2022-CN", "iso-2022-cn csiso2022cn iso-2022-cn-ext"),
        Row("hz-gb-2312", icu: "HZ", "hz-gb-2312 hz-gb2312 hz"),
    ]
}
