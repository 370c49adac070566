// SPDX-License-Identifier: Apache-2.0

package import Foundation

/// Courier with IMAP and no capability but IMAP4rev1, if it is there: its packages conflict with Dovecot's, so they are unpacked in
/// the folder that `POSTERN_COURIER` names.
///
/// Its programs look for their files at places that were fixed when they were built, so it has a root of its own: what was
/// unpacked, above this machine's `/usr`. Users u1…u3 with the password `pw`; the separator is `.`, and all folders are below
/// INBOX.
package struct CourierIMAP: Sendable {
    private static let tree = ProcessInfo.processInfo.environment["POSTERN_COURIER"]

    package static var isInstalled: Bool {
        guard getuid() == 0, let tree else { return false }
        let mounts = (try? String(contentsOfFile: "/proc/filesystems", encoding: .utf8)) ?? ""
        return mounts.contains("overlay")
            && FileManager.default.isExecutableFile(atPath: "\(tree)/usr/sbin/couriertcpd")
    }

    package let imap: UInt16
    private let process: PeerProcess

    package init() throws {
        guard let tree = Self.tree else { throw PeerProcess.NotUp() }
        imap = try PeerProcess.freePort()
        let folder = try PeerProcess.makeFolder()
        try Data(Self.script.utf8).write(to: folder.appendingPathComponent("start"))
        process = try PeerProcess(
            "/usr/bin/unshare",
            ["-m", "--propagation", "private", "/bin/sh", "-e", "\(folder.path)/start", folder.path, "\(imap)", tree],
            folder: folder,
            waitFor: imap
        )
    }

    package func stop() { process.stop() }

    private static let script = """
        folder=$1 port=$2 tree=$3 root=$1/root
        mkdir -p $root/usr $root/dev $root/proc $root/tmp $root/run/courier/authdaemon $root/etc/courier $root/mail
        ln -s usr/bin usr/lib usr/lib64 usr/sbin $root/
        # Layers may not lie in each other.
        cp -r $tree/usr $folder/programs
        mount -t overlay -o lowerdir=$folder/programs:/usr overlay $root/usr
        mount --rbind /dev $root/dev
        mount --rbind /proc $root/proc
        chmod 1777 $root/tmp

        cp /etc/passwd /etc/group /etc/nsswitch.conf /etc/ld.so.cache $root/etc/
        echo vmail:x:5000:5000::/nonexistent:/bin/false >> $root/etc/passwd
        echo vmail:x:5000: >> $root/etc/group
        for module in authmodulelist authmodulelistorig; do
            echo "$module=\"authuserdb\"" >> $root/etc/courier/authdaemonrc
        done
        printf 'daemons=2\nauthdaemonvar=/run/courier/authdaemon\nDEBUG_LOGIN=0\n' >> $root/etc/courier/authdaemonrc

        for user in u1 u2 u3; do
            for name in "" .Drafts .Sent .Trash .Junk .Archive; do
                mkdir -p $root/mail/$user/Maildir/$name/cur $root/mail/$user/Maildir/$name/new $root/mail/$user/Maildir/$name/tmp
                [ -z "$name" ] || touch $root/mail/$user/Maildir/$name/maildirfolder
            done
            fields="uid=5000|gid=5000|home=/mail/$user|mail=/mail/$user/Maildir"
            printf '%s\t%s|imappw=%s\n' $user "$fields" "$(openssl passwd -1 pw)" >> $root/etc/courier/userdb
        done
        chmod 600 $root/etc/courier/userdb
        chown -R 5000:5000 $root/mail

        export LD_LIBRARY_PATH=/usr/lib:/usr/lib/courier-authlib GAM_CLIENT_ID=postern
        export IMAP_CAPABILITY=IMAP4rev1 IMAP_EMPTYTRASH= IMAP_MOVE_EXPUNGE_TO_TRASH=0 IMAP_TRASHFOLDERNAME=Trash
        export IMAP_UMASK=022 IMAP_ULIMITD=1000000 IMAP_USELOCKS=1 IMAP_KEYWORDS=1 IMAP_ENHANCEDIDLE=0
        export IMAP_CHECK_ALL_FOLDERS=0 IMAP_OBSOLETE_CLIENT=0 MAILDIRPATH=Maildir AUTHMODULES=authdaemon SHELL=/bin/sh
        chroot $root /usr/sbin/makeuserdb
        chroot $root /usr/lib/courier/courier-authlib/authdaemond &
        chroot $root /usr/sbin/couriertcpd -address=127.0.0.1 -maxprocs=60 -maxperip=60 -nodnslookup -noidentlookup $port \
            /usr/lib/courier/courier/imaplogin /usr/bin/imapd Maildir &
        end() {
            for process in /proc/[0-9]*; do
                [ "$(readlink $process/root)" != $root ] || kill ${process#/proc/} || true
            done
        }
        trap end TERM
        wait || true
        wait
        """
}
